"""Prompt templates, filled in."""

from __future__ import annotations

from datetime import datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.tool import Effect, ToolSpec
from contracts.domain.prompts.templates import date_text, dates, fill, tool_texts
from planner import prompt

NOW = datetime(2026, 11, 23, 6, 45, 42)  # noqa: DTZ001
TOOL = ToolSpec(
    name="webSearch",
    description="Searches.",
    parameters={"type": "object", "properties": {}},
    effect=Effect.READ,
)


@pytest.mark.parametrize(
    "template",
    ["{{currentDate}}", "{{CurrentDate}}", "{{ currentdate }}", "{{Today}}", "{{today}}", "{{\tTODAY\n}}"],
)
def test_names_are_found_in_any_case_and_with_spaces_inside(template: str) -> None:
    assert fill(f"Now: {template}.", dates(NOW)) == "Now: 11/23/2026, 6:45:42 AM."


def test_unknown_names_and_other_braces_stay() -> None:
    template = "{{unknown}} {{}} {x} {{a b}} {{{x}}}"
    assert fill(template, {"x": "1", "a": "2"}) == "{{unknown}} {{}} {x} {{a b}} {1}"


def test_inserted_text_is_not_searched_again() -> None:
    values = {"objective": r"{{tools}} \1 $&", "tools": "no"}
    assert fill("{{objective}}", values) == r"{{tools}} \1 $&"


def test_values_other_than_text_are_inserted_as_indented_json() -> None:
    values = {"stepBudget": 20, "workingMemory": {"a": ["é"]}, "constraints": None}
    template = "{{stepBudget}} {{workingMemory}} {{constraints}}"
    assert fill(template, values) == '20 {\n  "a": [\n    "é"\n  ]\n} null'


@given(st.text())
def test_a_template_without_values_is_unchanged(template: str) -> None:
    assert fill(template, {}) == template


@pytest.mark.parametrize(
    ("now", "text"),
    [
        (datetime(2026, 1, 2, 0, 5, 9), "1/2/2026, 12:05:09 AM"),  # noqa: DTZ001
        (datetime(2026, 12, 31, 12, 0, 0), "12/31/2026, 12:00:00 PM"),  # noqa: DTZ001
        (datetime(2026, 7, 4, 23, 59, 59), "7/4/2026, 11:59:59 PM"),  # noqa: DTZ001
    ],
)
def test_a_date_reads_as_americans_write_it(now: datetime, text: str) -> None:
    assert date_text(now) == text


def test_tools_are_inserted_as_definitions_and_as_a_list() -> None:
    texts = tool_texts([TOOL])
    assert orjson.loads(texts["tools"]) == [TOOL.as_function()]
    assert texts["toolsList"] == "- webSearch: Searches."
    assert texts["skills"] == "none"


def test_a_tool_that_must_be_named_is_not_inserted() -> None:
    texts = tool_texts([TOOL, TOOL.model_copy(update={"name": "askHuman", "by_default": False})])
    assert "askHuman" not in f"{texts['tools']}{texts['toolsList']}"


def test_the_system_prompt_has_tools_and_date_filled_in() -> None:
    text = prompt.system("{{tools}}|{{CurrentDate}}|{{skills}}|{{objective}}", [TOOL], NOW)
    tools, date, skills, objective = text.split("|")
    assert orjson.loads(tools)[0]["function"]["name"] == "webSearch"
    assert (date, skills, objective) == ("11/23/2026, 6:45:42 AM", "none", "{{objective}}")
