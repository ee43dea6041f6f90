"""Validation errors as clients of the API know them: in the shape of Zod 3."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, ValidationError

from contracts.domain.issues import Issue, issues


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


def _must_be_even(number: int) -> int:
    if number % 2:
        raise ValueError("give an even number")
    return number


class Inner(BaseModel):
    name: str


class Everything(BaseModel):
    """Each field optional, so that a test breaks one at a time."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(default="x", min_length=1, max_length=3, alias="goal-text")
    whole: int = Field(default=1, ge=1, le=100)
    number: float = Field(default=1, gt=0, lt=2)
    finite: float = Field(default=1, allow_inf_nan=False)
    flag: bool = False
    items: tuple[str, ...] = Field(default=("a",), min_length=1, max_length=2)
    inner: Inner = Inner(name="n")
    inners: list[Inner] = []
    action: Literal["tool", "inference"] = "tool"
    colour: Colour = Colour.RED
    code: str = Field(default="AB", pattern="^[A-Z]+$")
    site: HttpUrl | None = None
    expires: AwareDatetime | None = None
    even: Annotated[int, AfterValidator(_must_be_even)] = 2
    free: dict[str, Any] = {}


KEYS = [field.alias or name for name, field in Everything.model_fields.items()]


def issues_of(model: type[BaseModel], data: object) -> list[dict[str, Any]]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(data)
    return issues(caught.value, model)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            {"goal-text": 5},
            {
                "code": "invalid_type",
                "expected": "string",
                "received": "number",
                "path": ["goal-text"],
                "message": "Expected string, received number",
            },
        ),
        (
            {"goal-text": ""},
            {
                "code": "too_small",
                "minimum": 1,
                "type": "string",
                "inclusive": True,
                "exact": False,
                "path": ["goal-text"],
                "message": "String must contain at least 1 character(s)",
            },
        ),
        (
            {"goal-text": "abcd"},
            {
                "code": "too_big",
                "maximum": 3,
                "type": "string",
                "inclusive": True,
                "exact": False,
                "path": ["goal-text"],
                "message": "String must contain at most 3 character(s)",
            },
        ),
        (
            {"whole": 0},
            {
                "code": "too_small",
                "minimum": 1,
                "type": "number",
                "inclusive": True,
                "exact": False,
                "path": ["whole"],
                "message": "Number must be greater than or equal to 1",
            },
        ),
        (
            {"whole": 101},
            {
                "code": "too_big",
                "maximum": 100,
                "type": "number",
                "inclusive": True,
                "exact": False,
                "path": ["whole"],
                "message": "Number must be less than or equal to 100",
            },
        ),
        (
            {"whole": 1.5},
            {
                "code": "invalid_type",
                "expected": "integer",
                "received": "float",
                "path": ["whole"],
                "message": "Expected integer, received float",
            },
        ),
        (
            {"whole": "many"},
            {
                "code": "invalid_type",
                "expected": "number",
                "received": "string",
                "path": ["whole"],
                "message": "Expected number, received string",
            },
        ),
        (
            {"number": 0},
            {
                "code": "too_small",
                "minimum": 0,
                "type": "number",
                "inclusive": False,
                "exact": False,
                "path": ["number"],
                "message": "Number must be greater than 0",
            },
        ),
        (
            {"number": 2},
            {
                "code": "too_big",
                "maximum": 2,
                "type": "number",
                "inclusive": False,
                "exact": False,
                "path": ["number"],
                "message": "Number must be less than 2",
            },
        ),
        (
            {"finite": float("inf")},
            {"code": "not_finite", "path": ["finite"], "message": "Number must be finite"},
        ),
        (
            {"flag": None},
            {
                "code": "invalid_type",
                "expected": "boolean",
                "received": "null",
                "path": ["flag"],
                "message": "Expected boolean, received null",
            },
        ),
        (
            {"items": []},
            {
                "code": "too_small",
                "minimum": 1,
                "type": "array",
                "inclusive": True,
                "exact": False,
                "path": ["items"],
                "message": "Array must contain at least 1 element(s)",
            },
        ),
        (
            {"items": {"a": 1}},
            {
                "code": "invalid_type",
                "expected": "array",
                "received": "object",
                "path": ["items"],
                "message": "Expected array, received object",
            },
        ),
        (
            {"items": ["a", True]},
            {
                "code": "invalid_type",
                "expected": "string",
                "received": "boolean",
                "path": ["items", 1],
                "message": "Expected string, received boolean",
            },
        ),
        (
            {"inner": []},
            {
                "code": "invalid_type",
                "expected": "object",
                "received": "array",
                "path": ["inner"],
                "message": "Expected object, received array",
            },
        ),
        (
            {"inners": [{"name": "a"}, {}]},
            {
                "code": "invalid_type",
                "expected": "string",
                "received": "undefined",
                "path": ["inners", 1, "name"],
                "message": "Required",
            },
        ),
        (
            {"action": "skill"},
            {
                "code": "invalid_enum_value",
                "received": "skill",
                "options": ["tool", "inference"],
                "path": ["action"],
                "message": "Invalid enum value. Expected 'tool' | 'inference', received 'skill'",
            },
        ),
        (
            {"colour": 7},
            {
                "code": "invalid_type",
                "expected": "'red' | 'blue'",
                "received": "number",
                "path": ["colour"],
                "message": "Expected 'red' | 'blue', received number",
            },
        ),
        (
            {"code": "ab"},
            {
                "code": "invalid_string",
                "validation": "regex",
                "path": ["code"],
                "message": "Invalid: 'ab' does not match ^[A-Z]+$",
            },
        ),
        *[
            (
                {"expires": given},
                {
                    "code": "invalid_string",
                    "validation": "datetime",
                    "path": ["expires"],
                    "message": f"Invalid datetime: {given!r} is not a date and time with a zone; "
                    "write it as 2027-01-31T12:00:00Z",
                },
            )
            for given in ("soon", "2027-01-31", "2027-01-31T12:00:00")
        ],
        (
            {"flag": "maybe"},
            {
                "code": "invalid_type",
                "expected": "boolean",
                "received": "string",
                "path": ["flag"],
                "message": "Expected boolean, received string: send true or false, not 'maybe'",
            },
        ),
        (
            {"site": "no site"},
            {
                "code": "invalid_string",
                "validation": "url",
                "path": ["site"],
                "message": "Invalid url: send an absolute http:// or https:// URL",
            },
        ),
        ({"even": 3}, {"code": "custom", "path": ["even"], "message": "give an even number"}),
        (
            {"inner": {"name": "a"}, "extra": 1},
            {
                "code": "unrecognized_keys",
                "keys": ["extra"],
                "path": [],
                "message": f"Unrecognized key(s) in object: 'extra'; known are {', '.join(KEYS)}",
            },
        ),
        (
            [],
            {
                "code": "invalid_type",
                "expected": "object",
                "received": "array",
                "path": [],
                "message": "Expected object, received array",
            },
        ),
    ],
)
def test_each_error_has_the_code_and_keys_of_its_kind(data: object, expected: dict[str, Any]) -> None:
    assert issues_of(Everything, data) == [expected]


class Demanding(BaseModel):
    text: str
    whole: int
    action: Literal["tool", "inference"]
    inner: Inner
    maybe: list[str] | None


def test_a_missing_key_is_required_and_tells_its_type() -> None:
    found = issues_of(Demanding, {})
    assert {issue["path"][0]: issue["expected"] for issue in found} == {
        "text": "string",
        "whole": "number",
        "action": "'tool' | 'inference'",
        "inner": "object",
        "maybe": "array | null",
    }
    assert {(issue["code"], issue["received"], issue["message"]) for issue in found} == {
        ("invalid_type", "undefined", "Required")
    }


def test_without_the_model_a_missing_key_is_still_required() -> None:
    with pytest.raises(ValidationError) as caught:
        Inner.model_validate({})
    assert issues(caught.value) == [
        {
            "code": "invalid_type",
            "expected": "unknown",
            "received": "undefined",
            "path": ["name"],
            "message": "Required",
        }
    ]


def test_every_error_becomes_an_issue() -> None:
    assert len(issues_of(Everything, {"whole": 0, "flag": 3, "inners": [1, 2]})) == 4


def test_a_rule_of_ours_is_a_custom_issue() -> None:
    issue = Issue(("sub_tasks", 0, "id"), "choose another")
    assert issue.as_json() == {
        "code": "custom",
        "path": ["sub_tasks", 0, "id"],
        "message": "choose another",
    }
