"""The JSON object in a model's answer, whatever stands around it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.llm.written import NotJson, objects_in


def extract(answer: str) -> dict[str, Any]:
    """The object that is most likely meant."""
    return next(objects_in(answer))


PLAN = {"sub_tasks": [{"id": "1", "prompt": 'Answer as ```json\n{"x": 1}\n``` only'}], "ok": True}
JSON = json.dumps(PLAN)
PRETTY = json.dumps(PLAN, indent=2)

json_objects = st.dictionaries(
    st.text(min_size=1),
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=10,
    ),
    min_size=1,
    max_size=4,
)


@pytest.mark.parametrize(
    "answer",
    [
        JSON,
        PRETTY,
        f"\ufeff  {JSON}\n",
        f"```json\n{JSON}\n```",
        f"```JSON\r\n{PRETTY}\r\n```\r\n",
        f"```json {JSON} ```",
        f"```\n{PRETTY}\n```",
        f"```json\n{JSON}",
        f"Here is the plan:\n\n```json\n{PRETTY}\n```\n\nI hope it helps {{you}}!",
        f"Here is the {{plan}}: {JSON}. Good luck.",
        f"```json\n[{JSON}]\n```",
    ],
    ids=range(11),
)
def test_the_object_is_found_in_any_wrapping(answer: str) -> None:
    assert extract(answer) == PLAN


def test_a_json_fence_comes_before_other_fences_and_the_open_text() -> None:
    other = '```python\n{"python": 1}\n```'
    assert (
        extract(f'{{"open": 1, "and": "longer than all others, by far"}}\n{other}\n```json\n{JSON}\n```')
        == PLAN
    )
    assert extract(f'{{"open": 1}}\n{other}') == {"python": 1}


def test_in_the_open_the_longest_object_is_the_answer() -> None:
    assert extract(f'For example {{"a": 1}}. So: {JSON}') == PLAN


def test_a_broken_fence_is_not_traded_for_a_whole_object_elsewhere() -> None:
    assert extract('As in {"example": 1}:\n```json\n{"plan": 1,}\n```') == {"plan": 1}


@pytest.mark.parametrize(
    "answer",
    [
        '```json\n{"a": 1, "b": [2, 3,],}\n```',
        "```json\n{'a': 1, b: [2, 3]}\n```",
        '{"a": 1, // one\n "b": [2, 3]}',
        '{"a": 1 "b": [2, 3]}',
        '```json\n{"a": 1, "b": [2, 3]\n```',
    ],
)
def test_small_slips_are_repaired(answer: str) -> None:
    assert extract(answer) == {"a": 1, "b": [2, 3]}


def test_line_breaks_inside_strings_are_kept() -> None:
    assert extract('{"a": "one\ntwo\tthree"}') == {"a": "one\ntwo\tthree"}


@pytest.mark.parametrize("length", range(len(PRETTY) // 4, len(PRETTY) - 1, 7))
@pytest.mark.parametrize("opening", ["", "```json\n"])
def test_half_an_answer_is_refused_and_not_completed(opening: str, length: int) -> None:
    """A plan that silently lost its second half would be executed as if it were whole."""
    with pytest.raises(NotJson, match="stops before the JSON is complete"):
        extract(opening + PRETTY[:length])


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("", "the answer is empty"),
        (" \n", "the answer is empty"),
        ("I cannot do that.", "no JSON object, only 'I cannot do that.'"),
        ("[1, 2]", "no JSON object"),
        ("{}", "Expecting an object with keys"),
        ("```json\n{}\n```", "Expecting an object with keys"),
        ('{"a": ' * 120 + "x" + "}" * 120, "nested more than 100 levels deep"),
        ('{"a": ' * 5000 + "1" + "}" * 5000, "nested more than 100 levels deep"),
        ('{"a": ' * 400 + "1" + "}" * 400, "cannot be stored"),
        ('{"a": 123456789012345678901234567890}', "cannot be stored: a: the integer 1234"),
        ('{"a": [1e999]}', "cannot be stored: a.0: inf is not a JSON number"),
    ],
    ids=range(11),
)
def test_an_answer_without_a_plan_is_refused_with_the_reason(answer: str, complaint: str) -> None:
    with pytest.raises(NotJson, match=complaint):
        extract(answer)


def test_the_message_shows_the_place_of_the_error() -> None:
    with pytest.raises(NotJson) as caught:
        extract('{\n  "a": 1,\n  "b": oops,\n  "c": 3,\n  "d"')
    assert str(caught.value).split("\n") == [
        "the answer stops before the JSON is complete. Expecting value: line 3, column 8",
        "  1 | {",
        '  2 |   "a": 1,',
        '> 3 |   "b": oops,',
        '  4 |   "c": 3,',
        '  5 |   "d"',
    ]


def test_long_lines_are_cut_in_the_message() -> None:
    with pytest.raises(NotJson) as caught:
        extract('{"a": "' + "x" * 50_000)
    assert len(str(caught.value)) < 400


def test_text_no_store_takes_is_replaced() -> None:
    assert extract(r'{"a\u0000": "\ud800 and \u0000", "n": NaN}') == {
        "a\ufffd": "\ufffd and \ufffd",
        "n": None,
    }


@pytest.mark.parametrize("unit", ["{", "[", '{"a":', '{"', '```{"', '{"a":"b" ', "```json\n{'"])
def test_an_answer_made_to_take_long_does_not(unit: str) -> None:
    """Within the time limit of the test, on the longest answer that is looked at."""
    answer = (unit * 100_000)[:100_000] + "\n```"
    with suppress(NotJson):
        assert extract(answer)


@given(json_objects, st.sampled_from(["{}", "```json\n{}\n```", "```\n{}\n```", "Sure:\n{}\nDone."]))
def test_any_object_survives_its_wrapping(value: dict[str, Any], wrapping: str) -> None:
    expected = orjson.loads(orjson.dumps(value).replace(b"\\u0000", "\ufffd".encode()))
    assert extract(wrapping.replace("{}", json.dumps(value))) == expected


@given(st.text() | st.text('{}[]":,`\\ \njson1'))
def test_any_answer_is_either_an_object_or_refused(answer: str) -> None:
    with suppress(NotJson):
        assert orjson.dumps(extract(answer))
