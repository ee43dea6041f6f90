"""Answers that a server streams although it was not asked to, as real servers stream them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.llm.answer import ModelAnswer, read_answer
from contracts.llm.chunks import joined
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed

ENDPOINT = Endpoint(Provider.OPENAI, "m", "http://llm/v1", "k", {})


def events(*deltas: dict[str, Any], finish: str | None = "stop", done: bool = True) -> str:
    """The stream of a chat completion, with a comment, as proxies keep a connection alive."""
    chunks: list[dict[str, Any]] = [
        {"id": "c", "object": "chat.completion.chunk", "choices": [{"index": 0, "delta": delta}]}
        for delta in deltas
    ]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]})
    chunks.append({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 3}})
    lines = [f"data: {json.dumps(chunk, ensure_ascii=False)}" for chunk in chunks] + ["data: [DONE]"] * done
    return ": keep-alive\n\n" + "\n\n".join(lines) + "\n\n"


def read(text: str) -> ModelAnswer:
    return read_answer(ENDPOINT, text, ["writeFile", "webSearch"])


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1), min_size=1))
def test_the_parts_of_a_text_are_joined(parts: list[str]) -> None:
    document = joined(events({"role": "assistant", "content": ""}, *({"content": one} for one in parts)))

    assert document is not None
    assert document["choices"][0]["message"] == {"role": "assistant", "content": "".join(parts)}


def test_the_cost_at_the_end_of_a_stream_is_counted() -> None:
    answer = read(events({"content": "Hi"}))

    assert answer.content == "Hi"
    assert answer.finish_reason == "stop"
    assert answer.bill.tokens is not None
    assert (answer.bill.tokens.prompt, answer.bill.tokens.completion) == (10, 3)


def test_reasoning_stays_apart_from_the_answer() -> None:
    answer = read(events({"reasoning_content": "Let "}, {"reasoning_content": "me see"}, {"content": "42"}))

    assert (answer.content, answer.reasoning) == ("42", "Let me see")


def call(index: int | None, name: str | None, arguments: str, id_: str | None = None) -> dict[str, Any]:
    part = {"index": index, "id": id_, "function": {"name": name, "arguments": arguments}}
    return {"tool_calls": [{key: value for key, value in part.items() if value is not None}]}


@pytest.mark.parametrize("indexed", [True, False])
def test_the_parts_of_tool_calls_are_joined_by_their_index_or_their_id(indexed: bool) -> None:
    zero, one = (0, 1) if indexed else (None, None)
    text = events(
        call(zero, "writeFile", '{"content": "a', "call_a"),
        call(zero, None, ' b"}'),
        call(one, "webSearch", '{"query"', "call_b"),
        call(one, None, ': "x"}'),
        finish="tool_calls",
    )

    assert [(one.id, one.name, dict(one.arguments)) for one in read(text).tool_calls] == [
        ("call_a", "writeFile", {"content": "a b"}),
        ("call_b", "webSearch", {"query": "x"}),
    ]


def test_a_stream_without_its_end_is_not_an_answer() -> None:
    with pytest.raises(CallFailed, match="interrupted") as caught:
        read(events({"content": "The first half"}, finish=None, done=False))

    assert caught.value.passing


def test_an_error_in_the_middle_of_a_stream_is_reported() -> None:
    text = 'data: {"choices": [{"delta": {"content": ""}}]}\n\ndata: {"error": {"message": "overloaded"}}\n\n'

    with pytest.raises(CallFailed, match="overloaded"):
        read(text)


def test_one_object_a_line_is_a_stream_too() -> None:
    lines = [
        {"model": "m", "message": {"role": "assistant", "content": "Hel"}, "done": False},
        {"model": "m", "message": {"role": "assistant", "content": "lo"}, "done": False},
        {"model": "m", "message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 3},
    ]

    assert read("\n".join(map(json.dumps, lines))).content == "Hello"


@pytest.mark.parametrize("text", ["", "data:", "<html>\nno\n</html>", "data: {", "1\n2", "data: [DONE]"])
def test_another_text_is_not_a_stream(text: str) -> None:
    assert joined(text) is None


def test_parts_of_a_content_are_joined_though_some_are_lists() -> None:
    answer = read(
        events(
            {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm"}]}]},
            {"content": [{"type": "text", "text": "4"}]},
            {"content": "2"},
        )
    )

    assert (answer.content, answer.reasoning) == ("42", "Hm")


@pytest.mark.parametrize("index", [0, None])
def test_parallel_calls_with_one_index_are_told_apart_by_their_ids(index: int | None) -> None:
    parts = [
        {"index": index, "id": id_, "function": {"name": "webSearch", "arguments": f'{{"query": "{id_}"}}'}}
        for id_ in ("a", "b")
    ]
    answer = read(events(*({"tool_calls": [part]} for part in parts), finish="tool_calls"))

    assert [dict(one.arguments) for one in answer.tool_calls] == [{"query": "a"}, {"query": "b"}]


@pytest.mark.parametrize("index", [0, None])
def test_a_call_whose_every_part_has_its_id_is_one_call(index: int | None) -> None:
    parts = (call(index, "webSearch", '{"query"', "call_a"), call(index, None, ': "x"}', "call_a"))

    (made,) = read(events(*parts, finish="tool_calls")).tool_calls
    assert dict(made.arguments) == {"query": "x"}


def test_a_whole_message_after_its_parts_is_not_added_to_them() -> None:
    whole = {"choices": [{"index": 0, "message": {"content": "Hi there"}, "finish_reason": "stop"}]}
    text = events({"content": "Hi "}, {"content": "there"}, done=False) + f"data: {json.dumps(whole)}\n\n"

    assert read(text).content == "Hi there"


def test_the_usage_in_the_last_choice_of_a_stream_is_counted() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    last = {"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop", "usage": usage}]}
    bill = read(f"data: {json.dumps(last)}\n\ndata: [done]\n\n").bill

    assert bill.tokens is not None
    assert (bill.tokens.prompt, bill.tokens.completion) == (7, 2)


def test_a_stream_that_ends_within_a_chunk_was_interrupted() -> None:
    text = events({"content": "half of"}, finish=None, done=False)

    with pytest.raises(CallFailed, match="interrupted"):
        read(text[: text.rindex("choices")])
