"""What is sent is valid for the strictest provider, whatever was said before."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.llm.history import GO_ON, NO_ANSWER, SEEN, Message, wire_messages

SYSTEM: Message = {"role": "system", "content": "Be brief."}


def user(text: Any = "Hello") -> Message:
    return {"role": "user", "content": text}


def assistant(text: Any = "", *calls: tuple[Any, str, str]) -> Message:
    made = [{"id": i, "type": "function", "function": {"name": n, "arguments": a}} for i, n, a in calls]
    return {"role": "assistant", "content": text, **({"tool_calls": made} if made else {})}


def tool(id_: Any, text: str) -> Message:
    return {"role": "tool", "tool_call_id": id_, "content": text}


def test_a_conversation_that_is_valid_stays_as_it_is_but_for_its_ids() -> None:
    said = [SYSTEM, user(), assistant("I add.", ("a", "add", '{"x": 1}')), tool("a", "1")]

    sent = wire_messages(said)

    assert sent[:2] == [SYSTEM, user()]
    assert sent[2]["tool_calls"][0]["id"] == sent[3]["tool_call_id"] == "call00000"
    assert sent[3]["content"] == "1"


def test_ids_that_repeat_or_are_missing_become_unique_and_keep_their_answers() -> None:
    calls = [("x", "add", "{}"), ("x", "sub", "{}"), (None, "mul", "{}")]
    said = [
        user(),
        assistant(None, *calls),
        tool("x", "1"),
        tool("x", "2"),
        tool(None, "3"),
        assistant("", *calls[:1]),
    ]

    sent = wire_messages(said)

    assert [one["content"] for one in sent if one["role"] == "tool"] == ["1", "2", "3", NO_ANSWER]
    ids = [call["id"] for one in sent for call in one.get("tool_calls", [])]
    assert ids == ["call00000", "call00001", "call00002", "call00003"]


def test_an_empty_text_beside_tool_calls_is_null() -> None:
    assert wire_messages([user(), assistant("", ("a", "add", "{}")), tool("a", "1")])[1]["content"] is None


def test_names_have_only_letters_that_every_provider_takes() -> None:
    odd = wire_messages([user(), assistant("", ("a", "functions.add numbers<|x|>", "{}")), tool("a", "1")])
    assert odd[1]["tool_calls"][0]["function"]["name"] == "functions_add_numbers__x__"


def test_arguments_that_are_not_an_object_are_sent_as_an_empty_one() -> None:
    for written in ("", "[1]", "{broken", "null"):
        sent = wire_messages([user(), assistant("", ("a", "add", written)), tool("a", "1")])
        assert sent[1]["tool_calls"][0]["function"]["arguments"] == "{}"


def test_two_words_of_the_user_are_one_message() -> None:
    assert wire_messages([user("a"), user("b")]) == [user("a\n\nb")]
    picture = {"type": "image_url", "image_url": {"url": "data:,"}}
    assert wire_messages([user([picture]), user("b")]) == [user([picture, {"type": "text", "text": "b"}])]


def test_system_messages_are_one_and_stand_first() -> None:
    said = [user("a"), {"role": "developer", "content": "Short."}, SYSTEM]
    assert wire_messages(said) == [{"role": "system", "content": "Short.\n\nBe brief."}, user("a")]


def test_the_user_begins_and_has_the_last_word() -> None:
    assert wire_messages([SYSTEM]) == [SYSTEM, user(GO_ON)]
    assert wire_messages([assistant("Hi")]) == [user(GO_ON), assistant("Hi"), user(GO_ON)]


def test_a_result_is_read_before_the_user_goes_on() -> None:
    sent = wire_messages([user(), assistant("", ("a", "add", "{}")), tool("a", "1"), user("And?")])
    assert [one["role"] for one in sent] == ["user", "assistant", "tool", "assistant", "user"]
    assert sent[3]["content"] == SEEN


def test_an_answer_to_no_call_is_told_by_the_user() -> None:
    (sent,) = wire_messages([user("a"), tool("gone", "42")])
    assert sent["role"] == "user"
    assert sent["content"].startswith("a\n\nResult of a tool.")
    assert sent["content"].endswith('<data origin="tool">\n42\n</data>')


ids = st.none() | st.sampled_from(["a", "b", "call_0"]) | st.integers(0, 2)
texts = st.none() | st.sampled_from(["", "text"])
messages = st.one_of(
    st.builds(lambda text: SYSTEM | {"content": text}, texts),
    st.builds(user, texts),
    st.builds(
        lambda text, calls: assistant(text, *calls),
        texts,
        st.lists(
            st.tuples(ids, st.text(max_size=3), st.sampled_from(["", "{}", "x", '{"a": 1}'])), max_size=3
        ),
    ),
    st.builds(tool, ids, st.sampled_from(["", "result"])),
)


@given(st.lists(messages, max_size=10))
def test_every_conversation_is_sent_in_a_form_that_the_strictest_provider_takes(
    said: Sequence[Message],
) -> None:
    check(wire_messages(said))


def check(sent: Sequence[Message]) -> None:
    roles = [one["role"] for one in sent]
    turns = roles[1:] if roles[0] == "system" else roles
    assert "system" not in turns
    assert turns[0] == "user"
    assert turns[-1] in ("user", "tool")
    allowed = {"user": {"assistant"}, "assistant": {"user", "tool"}, "tool": {"tool", "assistant"}}
    assert all(after in allowed[before] for before, after in pairwise(turns))
    seen: list[str] = []
    owed: list[str] = []
    for one in sent:
        if one["role"] == "tool":
            assert one["tool_call_id"] == owed.pop(0)
            assert one["content"]
            continue
        assert not owed, "a call without its answer"
        owed = [call["id"] for call in one.get("tool_calls", [])]
        seen += owed
        assert one["content"] or (owed and one["content"] is None)
        for call in one.get("tool_calls", []):
            assert re.fullmatch("[a-zA-Z0-9]{9}", call["id"])
            assert re.fullmatch("[a-zA-Z0-9_-]{1,64}", call["function"]["name"])
            assert isinstance(json.loads(call["function"]["arguments"]), dict)
    assert not owed
    assert len(set(seen)) == len(seen)
