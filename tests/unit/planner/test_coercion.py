"""Ids and dependencies as models write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planner.coercion import coerced


def dependencies(value: Any) -> Any:
    return coerced({"sub_tasks": [{"id": "2", "dependencies": value}]})["sub_tasks"][0]["dependencies"]


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


@pytest.mark.parametrize("unclear", [True, {"a": 1}, 1.5])
def test_what_is_unclear_stays_for_validation_to_refuse(unclear: Any) -> None:
    assert dependencies(unclear) in (unclear, [unclear])


def test_sub_tasks_by_their_ids_are_a_list() -> None:
    plan = coerced({"sub_tasks": {"001": {"description": "a"}, "002": {"dependencies": "001"}}})
    assert [(task["id"], task["dependencies"]) for task in plan["sub_tasks"]] == [
        ("001", []),
        ("002", ["001"]),
    ]


@pytest.mark.parametrize(("given_", "meant"), [("Tool", "tool"), ("LLM", "inference")])
def test_the_kind_of_a_step_is_in_the_words_of_plans(given_: str, meant: str) -> None:
    assert coerced({"sub_tasks": [{"action_type": given_}]})["sub_tasks"][0]["action_type"] == meant


@given(
    st.dictionaries(
        st.sampled_from(["sub_tasks", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["id", "dependencies", "action_type"]), inner, max_size=3)
            ),
            max_leaves=6,
        ),
    )
)
def test_any_document_is_taken(document: dict[str, Any]) -> None:
    assert coerced(document).keys() == document.keys()
