"""Names, descriptions and schemas of tools that others describe, whatever they say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from executor.tools.described import MAX_DESCRIPTION, MAX_NAME, description_of, input_of, name_of


@given(st.text(min_size=1, max_size=200))
def test_every_name_is_one_that_models_accept(name: str) -> None:
    ours = name_of("server", name)
    assert len(ours) <= MAX_NAME
    assert ours.isascii()
    assert all(one.isalnum() or one in "_-" for one in ours)


def test_long_names_stay_different() -> None:
    assert name_of("s", "x" * 100 + "a") != name_of("s", "x" * 100 + "b")


def test_a_description_is_cut_and_cleaned() -> None:
    assert len(description_of("x" * 5000)) == MAX_DESCRIPTION
    assert description_of(" only ") == "only"


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"type": "nonsense"}}},
        {"type": "object", "properties": {"a": {"$ref": "https://a.example/schema.json"}}},
        {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
    ],
)
def test_a_schema_that_is_wrong_or_refers_to_elsewhere_is_refused(schema: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="its input schema"):
        input_of(schema)


def test_a_schema_that_is_nested_too_deep_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(5000):
        schema = {"not": schema}
    with pytest.raises(ValueError, match="its input schema is not valid: it is nested too deeply"):
        input_of(schema)


def test_a_schema_may_refer_to_its_own_definitions() -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"type": "integer"}},
    }
    accepts = input_of(schema)
    assert accepts.model_validate({"a": 1}).arguments == {"a": 1}
    with pytest.raises(ValueError, match="a: 'x' is not of type 'integer'"):
        accepts.model_validate({"a": "x"})


def test_a_pattern_of_another_party_is_matched_in_linear_time() -> None:
    accepts = input_of({"properties": {"a": {"pattern": "^(a+)+$"}}})
    with pytest.raises(ValueError, match="does not match"):
        accepts.model_validate({"a": "a" * 1000 + "!"})
