"""Answers as providers really send them, and what must come out of each."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.text import clean_json
from contracts.llm.answer import ModelAnswer, read_answer
from contracts.llm.bill import Bill, Tokens, bill_of
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed
from tests.depth import at_least

ENDPOINT = Endpoint(Provider.OPENAI, "m", "http://llm/v1", "k", {})
OFFERED = ("writeFile", "webSearch", "sendEmail")
FOLDER = Path(__file__).parent / "answers"


def cases() -> Iterator[Any]:
    for file in sorted(FOLDER.glob("*.json")):
        for case in json.loads(file.read_text(encoding="utf-8")):
            yield pytest.param(case["body"], case["expect"], id=f"{file.stem}: {case['name']}")


CASES = list(cases())
BODIES = [case.values[0] for case in CASES]


def read(body: Any) -> ModelAnswer | CallFailed:
    try:
        return read_answer(ENDPOINT, json.dumps(body), OFFERED)
    except CallFailed as failure:
        return failure


@pytest.mark.parametrize(("body", "expect"), CASES)
def test_an_answer_is_read_as_it_is_meant(body: Any, expect: dict[str, Any]) -> None:
    came = read(body)

    if "failure" in expect:
        assert isinstance(came, CallFailed), came
        assert expect["failure"] in str(came)
        assert came.passing is expect["passing"]
    else:
        assert isinstance(came, ModelAnswer), came
        check_answer(came, expect)
    check_bill(came.bill, expect)


def check_answer(answer: ModelAnswer, expect: dict[str, Any]) -> None:
    assert answer.content == expect.get("content", "" if expect.get("calls") else answer.content)
    for made, meant in zip(answer.tool_calls, expect.get("calls", []), strict=True):
        assert made.name == meant["name"]
        if "error" in meant:
            assert meant["error"] in str(made.error)
        else:
            assert (made.arguments, made.error) == (meant["arguments"], None)
    if "finish" in expect:
        assert answer.finish_reason == expect["finish"]
    if "reasoning" in expect:
        assert answer.reasoning == expect["reasoning"]
    assert expect.get("problem", "") in (answer.problem or "")
    assert (answer.problem is None) is ("problem" not in expect)


def check_bill(bill: Bill | None, expect: dict[str, Any]) -> None:
    tokens = expect.get("tokens")
    counted = bill.tokens if bill else None
    assert (counted and [counted.prompt, counted.completion]) == tokens
    if "cached" in expect:
        assert counted is not None
        assert counted.cached == expect["cached"]
    if "cost" in expect:
        assert bill is not None
        assert bill.charged == Decimal(expect["cost"])
    if "model" in expect:
        assert bill is not None
        assert bill.model == expect["model"]


def test_the_corpus_is_large_enough_to_mean_something() -> None:
    assert len(CASES) >= 150
    assert len({file.stem for file in FOLDER.glob("*.json")}) >= 14


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["<think>", "</think>", "[TOOL_CALLS]", "<tool_call>", "{", "NaN", "stop", "\ud800\x00"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["text", "type", "name", "error", "0", "content"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where something stands in a document, the whole of it left out."""
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = changed(value[path[0]], path[1:], new)
    return copy


@given(st.data())
@at_least(300)
def test_no_change_of_an_answer_raises_anything_but_our_failure_or_loses_its_cost(
    data: st.DataObject,
) -> None:
    body = data.draw(st.sampled_from([body for body in BODIES if isinstance(body, dict) and body]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(list(places(body))))
        body = changed(body, path, data.draw(anything))
        if not isinstance(body, dict) or not body:
            return

    came = read(body)

    assert came.bill == bill_of(clean_json(json.loads(json.dumps(body))))
    if isinstance(came, ModelAnswer):
        assert came.content.strip() or came.tool_calls or came.problem, "a silent answer"
        json.dumps([dict(call.arguments) for call in came.tool_calls], allow_nan=False)


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda data: data.decode("utf-8", "replace")))
def test_no_text_instead_of_an_answer_raises_anything_but_our_failure(text: str) -> None:
    with suppress(CallFailed):
        read_answer(ENDPOINT, text, OFFERED)


def test_a_usage_is_counted_though_all_the_rest_is_odd() -> None:
    body = {
        "id": [1],
        "model": {"x": 1},
        "choices": "none",
        "usage": {"prompt_tokens": 10, "completion_tokens": 3, "cost": 0.5, "prompt_tokens_details": "?"},
    }

    came = read(body)

    assert isinstance(came, CallFailed)
    assert came.bill == Bill(None, Tokens(10, 0, 3), Decimal("0.5"))
