"""A body is refused by every route if it is no object, lacks something or holds a wrong type."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator

from gateway.app import ENDPOINTS
from tests.services.gateway.bad_input.refusals import (
    JSON,
    WITH_BODY,
    Refusals,
    body_of,
    name_of,
    path_of,
    schema_of,
)

if TYPE_CHECKING:
    from tests.services.conftest import Api


WRONG: dict[str, Any] = {
    "string": 1,
    "integer": "x",
    "number": "x",
    "boolean": "yes",
    "object": [],
    "array": {},
}
"""For each type a value of another."""
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"nonsense", JSON, 400),
        (b'{"a": "\\ud800"}', JSON, 400),
        (b'{"a": "\\u0000"}', JSON, 400),
        (b"[" * 200 + b"]" * 200, JSON, 400),
        (b"null", JSON, 400),
        (b"[]", JSON, 400),
        (b'"text"', JSON, 400),
        (b"1", JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b" " * (MIB + 1), JSON, 413),
    ],
    ids=lambda one: repr(one)[:30],
)
async def test_a_body_that_is_not_a_json_object_is_refused_by_every_route(
    api: Api, refusals: Refusals, raw: bytes, headers: Any, status: int
) -> None:
    for endpoint in WITH_BODY:
        asking = api.call(endpoint.method, path_of(endpoint), data=io.BytesIO(raw), headers=headers)
        await refusals.expect(asking, status, 404 if endpoint.missing else status, about=name_of(endpoint))


async def test_a_missing_required_field_is_named(api: Api, refusals: Refusals) -> None:
    for endpoint in WITH_BODY:
        for key in schema_of(endpoint).get("required", ()):
            body = {name: value for name, value in body_of(endpoint).items() if name != key}
            about = f"{name_of(endpoint)} without {key}"
            answer = await refusals.expect(
                api.call(endpoint.method, path_of(endpoint, "d1"), json=body), 400, about=about
            )
            assert [key] in [issue["path"] for issue in answer.json["validation_errors"]], about


def wrongly_typed(schema: Any) -> Iterator[tuple[str, Any]]:
    """Each key that has a type of its own, with a value of another."""
    for key, field in schema.get("properties", {}).items():
        kinds = [one.get("type") for one in field.get("anyOf", [field])]
        if all(kind in {*WRONG, "null"} for kind in kinds):
            fits = Draft202012Validator({"type": kinds}).is_valid
            values: tuple[Any, ...] = (WRONG[kinds[0]], True, {})
            yield key, next(value for value in values if not fits(value))
            if "null" not in kinds:
                yield key, None


async def test_a_value_of_another_type_is_refused_and_named(api: Api, refusals: Refusals) -> None:
    """Nothing is taken for something else: no text for a number, and no null for nothing."""
    for endpoint in WITH_BODY:
        for key, value in wrongly_typed(schema_of(endpoint)):
            body = {**body_of(endpoint), key: value}
            about = f"{name_of(endpoint)} with {key} {value!r}"
            answer = await refusals.expect(
                api.call(endpoint.method, path_of(endpoint, "d1"), json=body), 400, about=about
            )
            assert [key] in [issue["path"] for issue in answer.json["validation_errors"]], about


async def test_an_empty_body_is_an_empty_object_to_every_route(api: Api) -> None:
    """With and without a content type, where a body is wanted and where it is not."""
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" or endpoint.form:
            continue
        path = path_of(endpoint, "nobody")
        empty = await api.call(endpoint.method, path, json={})
        for headers in (JSON, {}):
            answer = await api.call(endpoint.method, path, data=b"", headers=headers)
            assert (answer.status, answer.body) == (empty.status, empty.body), name_of(endpoint)


@pytest.mark.parametrize(
    ("method", "path", "body", "field"),
    [
        ("POST", "goals", {"objective": " " * 20}, "objective"),
        ("PATCH", "goals/g1", {"objective": "\n\t\u2003" * 9}, "objective"),
        ("POST", "create-dag", {"goal-text": " ", "agentName": "Planner"}, "goal-text"),
        ("POST", "dags/d1/clarify", {"answer": "\u00a0"}, "answer"),
        ("POST", "agents", {"name": " ", "version": "1", "promptTemplate": "p"}, "name"),
        ("POST", "agents", {"name": "a", "version": "\t", "promptTemplate": "p"}, "version"),
        ("PATCH", "agents/a1", {"promptTemplate": "\n"}, "promptTemplate"),
    ],
)
async def test_a_blank_text_is_refused(api: Api, method: str, path: str, body: Any, field: str) -> None:
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    assert answer.status == 400
    (issue,) = answer.json["validation_errors"]
    assert (issue["path"], issue["message"]) == ([field], "String must not be blank")
