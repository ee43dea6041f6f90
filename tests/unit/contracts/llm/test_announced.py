"""Which answers announce a tool call without making it."""

from __future__ import annotations

import pytest

from contracts.llm.announced import announced_tool

TOOLS = ("writeFile", "webSearch")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("I will now use writeFile", "writeFile"),
        ("The prices are known. I'll use the `writeFile` tool to save them in notes.md.", "writeFile"),
        ("Two sources agree.\n\nLet me call functions.webSearch:", "webSearch"),
        ("Next, I am going to save the report with **writeFile**...", "writeFile"),
        ("I\u2019m going to look for it using webSearch.", "webSearch"),
        ("I will now run a search via websearch", "webSearch"),
    ],
)
def test_the_tool_that_the_last_sentence_announces_is_named(text: str, name: str) -> None:
    assert announced_tool(text, TOOLS) == name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I used writeFile to save the report.",
        "The report is saved; writeFile returned its path.",
        "I will not use writeFile.",
        "I'll leave it at that, because I can't use writeFile.",
        "If you agree, I will use writeFile.",
        "Let me know whether I am to use writeFile.",
        "Shall I go on? I will use writeFile, all right?",
        "I will now use writeFile. Then everything was saved: it is done.",
        "I will summarise: the file was written with writeFile.",
        "I will now use readFile.",
        "I will now use writeFiles.",
        "You will find the report in notes.md, made with writeFile.",
    ],
)
def test_past_negated_or_conditional_actions_announce_nothing(text: str) -> None:
    assert announced_tool(text, TOOLS) is None


def test_a_long_text_is_searched_in_time() -> None:
    """Within the time limit of the test."""
    assert announced_tool("I will now use " * 100_000, TOOLS) is None
    assert announced_tool("Prices. " * 100_000 + "I will now use webSearch", TOOLS) == "webSearch"
