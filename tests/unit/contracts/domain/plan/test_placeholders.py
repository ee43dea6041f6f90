"""References to earlier results inside parameters."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.outcome import Reject
from contracts.domain.plan import placeholders
from contracts.domain.plan.placeholders import (
    Resolver,
    find,
    id_key,
    map_texts,
    misspelt,
    placeholder,
    rewrite,
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
task_ids = st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)


def resolve(value: Any, results: dict[str, Any]) -> Any:
    """`value` with every placeholder in it replaced, as the parameters of a step are."""
    return map_texts(value, Resolver(results).value)


@pytest.mark.parametrize(
    "text",
    [
        "<Result from Task 001>",
        "<Results from Task 001>",
        "<Result of Task 001>",
        "<Results of Task 001>",
        "<result OF task 1>",
        "< Results  from Task 01 >",
    ],
)
def test_every_spelling_of_a_placeholder_is_understood(text: str) -> None:
    assert resolve(text, {"001": "found"}) == "found"


@pytest.mark.parametrize(
    "text", ["<Result Task 1 or so>", "Result of Task 1", "<Result of Task >", "<Result of Task a b>"]
)
def test_a_text_that_is_not_a_placeholder_stays(text: str) -> None:
    assert resolve(text, {"1": "found"}) == text


@pytest.mark.parametrize("result", [{"a": [1]}, ["x", 2], 3, 2.5, True, None, "text"])
def test_a_text_that_is_only_a_placeholder_becomes_the_result_with_its_type(result: Any) -> None:
    assert resolve({"deep": [" <Result of Task 1>\n"]}, {"001": result}) == {"deep": [result]}


def test_inside_a_longer_text_results_become_text() -> None:
    results = {"a": "words", "b": {"n": [1, "é"]}, "c": None}
    text = "A: <Result of Task a>, B: <Result of Task b>, C: <Result of Task c>"
    assert resolve(text, results) == 'A: words, B: {"n":[1,"é"]}, C: null'


def test_an_id_without_a_result_stays_as_it_is_written() -> None:
    assert resolve(["<Result of Task 9>", "see <Result of Task 9>!"], {"1": "x"}) == [
        "<Result of Task 9>",
        "see <Result of Task 9>!",
    ]


def test_dollar_signs_and_backslashes_in_results_are_only_characters() -> None:
    tricky = r"$& $1 \1 \g<0> $$"
    assert resolve("a <Result of Task 1> b", {"1": tricky}) == f"a {tricky} b"


def test_an_inserted_result_is_not_searched_for_placeholders() -> None:
    assert resolve("x <Result of Task 1>", {"1": "<Result of Task 2>", "2": "no"}) == "x <Result of Task 2>"


def test_keys_are_never_changed() -> None:
    assert resolve({"<Result of Task 1>": 1}, {"1": "x"}) == {"<Result of Task 1>": 1}


@given(json_values, st.dictionaries(task_ids, json_values, max_size=3))
def test_a_value_without_placeholders_resolves_to_itself(value: Any, results: dict[str, Any]) -> None:
    assert resolve(value, results) == value


@given(task_ids, json_values)
def test_the_placeholder_of_a_task_resolves_to_its_result(task_id: str, result: Any) -> None:
    assert resolve(placeholder(task_id), {task_id: result}) == result
    assert find([{"k": f"a {placeholder(task_id)} b"}]) == {task_id}


@given(st.lists(task_ids, max_size=6))
def test_all_placeholders_are_found(ids: list[str]) -> None:
    assert find({"a": [" and ".join(map(placeholder, ids))], "b": 3}) == set(ids)


def test_ids_are_renamed_wherever_a_placeholder_stands_and_nowhere_else() -> None:
    value = {"q": ["1 <Results from Task 01>", {"x": "<result of task 7>"}], "<Result of Task 1>": 1}
    assert rewrite(value, {"1": "005"}) == {
        "q": ["1 <Result of Task 005>", {"x": "<result of task 7>"}],
        "<Result of Task 1>": 1,
    }


@given(json_values)
def test_renaming_nothing_changes_nothing(value: Any) -> None:
    assert rewrite(value, {}) == value


@pytest.mark.parametrize(("left", "right"), [("1", "001"), ("0", "000"), ("010", "10")])
def test_ids_that_are_numbers_are_compared_as_numbers(left: str, right: str) -> None:
    assert id_key(left) == id_key(right)


@pytest.mark.parametrize(("left", "right"), [("1", "10"), ("a1", "a01"), ("A", "a"), ("1.0", "1")])
def test_other_ids_are_compared_as_text(left: str, right: str) -> None:
    assert id_key(left) != id_key(right)


def test_more_text_than_any_tool_takes_is_refused() -> None:
    text = placeholder("1") * 1000
    with pytest.raises(Reject, match="use fewer of them"):
        resolve(text, {"1": "x" * (placeholders.MAX_INSERTED // 900)})


def test_a_large_result_inserted_as_text_is_encoded_once() -> None:
    """Ten thousand placeholders for one object: its JSON is made once, not ten thousand times."""
    result = {"items": list(range(100))}
    text = " ".join([placeholder("1")] * 10_000)
    resolver = Resolver({"1": result}, as_text := _Counted())
    resolver.text(text)
    assert as_text.calls == 1


class _Counted:
    calls = 0

    def __call__(self, result: Any) -> str:
        self.calls += 1
        return placeholders.compact(result)


@pytest.mark.parametrize(
    "text",
    [
        "<Result of Step 001>",
        "<Output of Task 001>",
        "<Result of Sub-Task 001>",
        "<Result of the task 001>",
        "<Result of Task #001>",
        "<Result of Task: 001>",
        "<Result of Task001>",
        '<Result of Task "001">',
        "<result_of_task_001>",
        "<RESULT-OF-TASK-1>",
        "<Task 001 Result>",
        "<Task 001's result>",
        "{{Result of Task 001}}",
        "{{ result_of_task_001 }}",
        "{{task_001_result}}",
        "{{task_001.output}}",
        "{Result of Task 001}",
        "${Result of Task 001}",
        "[Result of Task 001]",
        "&lt;Result of Task 001&gt;",
    ],
)
def test_a_text_that_can_only_mean_a_placeholder_is_one(text: str) -> None:
    assert resolve(f"see {text}.", {"001": "x"}) == "see x."
    assert resolve(text, {"001": [1]}) == [1]
    assert rewrite(text, {"1": "007"}) == "<Result of Task 007>"


@pytest.mark.parametrize(
    "text",
    [
        "[Result of Task 001](#one)",
        "the result of task 001",
        "<b>result</b> of task 1",
        "<Task 001>",
    ],
)
def test_a_text_that_may_mean_something_else_is_not_a_placeholder(text: str) -> None:
    assert find(text) == set()


@pytest.mark.parametrize(
    "text",
    [
        "<Result of Task 001 and 002>",
        "<Results of Tasks 001, 002>",
        "<combined results of task 001>",
        "<results of steps 1 to 3>",
        "[001: task result]",
    ],
)
def test_an_unclear_placeholder_is_reported(text: str) -> None:
    assert misspelt({"content": f"see {text}."}, {"1", "2"}) == {text}
    assert misspelt(text, {"7"}) == set()


def test_a_long_text_is_searched_in_time() -> None:
    """Within the time limit of the test."""
    for unit in ("<", "{{", "[ ", "<result of task ", "${result of ", "<task 1 "):
        text = unit * 100_000
        assert find(text) == set()
        assert misspelt(text, {"1"}) == set()
