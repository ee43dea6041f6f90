"""Ids and dependencies as models write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.tool import Effect, ToolSpec
from planner import coercion

TOOLS = {
    "writeFile": ToolSpec(
        name="writeFile",
        description="",
        parameters={"properties": {"path": {}, "maxLength": {}}},
        effect=Effect.IDEMPOTENT,
    )
}


def coerced(document: dict[str, Any]) -> dict[str, Any]:
    return coercion.coerced(document, TOOLS)


def call(action: Any, kind: str = "tool") -> Any:
    return coerced({"sub_tasks": [{"action_type": kind, "tool_or_prompt": action}]})["sub_tasks"][0][
        "tool_or_prompt"
    ]


def dependencies(value: Any) -> Any:
    return coerced({"sub_tasks": [{"id": "own", "dependencies": value}]})["sub_tasks"][0]["dependencies"]


@pytest.mark.parametrize(("given_", "meant"), [(1, "1"), (1.0, "1"), (" 001 ", "001"), ({"id": 3}, "3")])
def test_an_id_is_text(given_: Any, meant: str) -> None:
    assert coerced({"sub_tasks": [{"id": given_}]})["sub_tasks"][0]["id"] == meant


@pytest.mark.parametrize(
    ("given_", "meant"),
    [
        (None, []),
        ("none", []),
        ("", []),
        ("N/A", []),
        (1, ["1"]),
        ("001", ["001"]),
        ("001, 002", ["001", "002"]),
        ("[001, 002]", ["001", "002"]),
        ("001 and 002", ["001", "002"]),
        ([1, "002", 3.0], ["1", "002", "3"]),
        ([None], []),
        ([{"id": "001"}], ["001"]),
        (["none"], ["none"]),
    ],
)
def test_dependencies_are_a_list_of_ids(given_: Any, meant: list[str]) -> None:
    assert dependencies(given_) == meant


@pytest.mark.parametrize("key", ["depends_on", "dependsOn", "prerequisites"])
def test_dependencies_are_known_by_other_words(key: str) -> None:
    tasks = coerced({"sub_tasks": [{"id": "1"}, {"id": "2", key: ["1"]}]})["sub_tasks"]
    assert tasks[1]["dependencies"] == ["1"]


@pytest.mark.parametrize(
    ("id_", "given_"),
    [
        ("1", "step 1"),
        ("1", "1."),
        ("1", "Task #1"),
        ("001", "sub_task_1"),
        ("step_1", 1),
        ("Step 1", "step-1"),
        ("task1", "1"),
    ],
)
def test_a_dependency_is_the_id_that_has_its_number(id_: str, given_: Any) -> None:
    tasks = coerced({"sub_tasks": [{"id": id_}, {"id": "b", "dependencies": [given_]}]})["sub_tasks"]
    assert tasks[1]["dependencies"] == [id_]


@pytest.mark.parametrize("given_", ["first", "search 1", "3"])
def test_a_dependency_that_may_mean_several_steps_or_none_is_unchanged(given_: str) -> None:
    ids = [{"id": "step 1"}, {"id": "task 1"}, {"id": "b", "dependencies": [given_, "1"]}]
    assert coerced({"sub_tasks": ids})["sub_tasks"][2]["dependencies"] == [given_, "1"]


@pytest.mark.parametrize("unclear", [True, {"a": 1}, 1.5])
def test_an_unclear_value_is_left_for_validation_to_refuse(unclear: Any) -> None:
    assert dependencies(unclear) in (unclear, [unclear])


def test_sub_tasks_by_their_ids_are_a_list() -> None:
    plan = coerced({"sub_tasks": {"001": {"description": "a"}, "002": {"dependencies": "001"}}})
    assert [(task["id"], task["dependencies"]) for task in plan["sub_tasks"]] == [
        ("001", []),
        ("002", ["001"]),
    ]


@pytest.mark.parametrize(("given_", "meant"), [("Tool", "tool"), ("function", "tool"), ("LLM", "inference")])
def test_the_kind_of_a_step_is_in_the_words_of_plans(given_: str, meant: str) -> None:
    assert coerced({"sub_tasks": [{"action_type": given_}]})["sub_tasks"][0]["action_type"] == meant


@pytest.mark.parametrize("name", ["WriteFile", "write_file", "functions.writeFile", " writeFile "])
def test_a_tool_is_known_by_its_name_in_any_style(name: str) -> None:
    assert call({"name": name, "params": {}})["name"] == "writeFile"


@pytest.mark.parametrize("text", ['{"path": 18446744073709551617}', "{no JSON}", "[1]"])
def test_parameters_as_text_stay_text_if_they_are_not_an_object_or_an_integer_would_change(text: str) -> None:
    assert call({"name": "writeFile", "params": text})["params"] == text


@pytest.mark.parametrize("name", ["writFile", "deleteFile"])
def test_the_name_of_a_tool_is_not_guessed(name: str) -> None:
    assert call({"name": name, "params": {}})["name"] == name


def test_the_name_of_an_inference_is_not_that_of_a_tool() -> None:
    assert call({"name": "write_file", "params": {}}, "inference")["name"] == "write_file"


@pytest.mark.parametrize(
    "action",
    [
        {"params": {"Path": "a", "max_length": 1}},
        {"arguments": {"path": "a", "maxLength": 1}},
        {"input": {"path": "a", "MaxLength": 1}},
        {"params": '{"path": "a", "maxLength": 1}'},
    ],
)
def test_parameters_are_known_in_any_style(action: dict[str, Any]) -> None:
    expected = {"name": "writeFile", "params": {"path": "a", "maxLength": 1}}
    assert call({"name": "writeFile", **action}) == expected


@pytest.mark.parametrize(
    "params", ["path: a", "[1]", {"max_length": 1, "MaxLength": 2}, {"colour": 1}, None, 5]
)
def test_unclear_parameters_are_unchanged(params: Any) -> None:
    assert call({"name": "writeFile", "params": params})["params"] == params


def test_an_object_around_the_plan_is_removed() -> None:
    assert coerced({"plan": {"sub_tasks": [], "intent": 1}}) == {"sub_tasks": [], "intent": 1}


def test_an_answer_with_several_plans_has_no_plan() -> None:
    two: dict[str, Any] = {"a": {"sub_tasks": []}, "b": {"sub_tasks": []}}
    assert coerced(two) == two


@given(
    st.dictionaries(
        st.sampled_from(["sub_tasks", "x"]),
        st.recursive(
            st.none() | st.just("tool") | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["id", "action_type", "tool_or_prompt", "name", "params"]),
                    inner,
                    max_size=3,
                )
            ),
            max_leaves=6,
        ),
    )
)
def test_any_document_is_taken(document: dict[str, Any]) -> None:
    assert coerced(document).keys() == document.keys()
