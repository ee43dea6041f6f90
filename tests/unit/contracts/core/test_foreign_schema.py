"""Validation by JSON Schemas that others wrote: bounded, and without reaching anything outside them."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest

from contracts.core.foreign_schema import TOO_MUCH_WORK, ForeignSchema, schema_error


def messages(schema: Any, value: Any) -> list[str]:
    return [error.message for error in ForeignSchema(schema).errors(value)]


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """The URL of a schema on a server, and the requests that it got."""
    requests: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            requests.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b'{"type": "integer"}')

        def log_message(self, *_: object) -> None:
            """Be quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/schema", requests
        server.shutdown()


def test_a_reference_to_another_document_is_refused_and_never_followed(
    elsewhere: tuple[str, list[str]],
) -> None:
    url, requests = elsewhere
    for schema in ({"$ref": url}, {"items": {"$id": url, "$ref": "other"}}, {"$dynamicRef": url}):
        assert "which is not part of it" in (schema_error(schema) or "")
        assert messages(schema, ["x"])
    assert requests == []


AMPLIFIED = {
    "$defs": {f"n{i}": {"allOf": [{"$ref": f"#/$defs/n{i + 1}"}] * 2} for i in range(30)} | {"n30": {}},
    "$ref": "#/$defs/n0",
}
BACKTRACKING = {"pattern": "^(a+)+$"}
LONG = "a" * 5000 + "!"


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        (AMPLIFIED, "x"),
        ({"uniqueItems": True}, [{"a": number} for number in range(3000)]),
        ({"anyOf": [{"type": "integer"}] * 5000}, "x" * 1_000_000),
        ({"items": {"enum": [list(range(3000))] * 100}}, [[*range(2999), -1]] * 30),
    ],
)
def test_a_validation_that_would_take_too_much_work_says_so(schema: Any, value: Any) -> None:
    assert TOO_MUCH_WORK in messages(schema, value)


def test_a_schema_that_refers_to_itself_without_end_is_a_problem_of_the_value() -> None:
    assert "refers to itself" in messages({"$ref": "#"}, "x")[0]


@pytest.mark.parametrize(
    ("schema", "value", "problem"),
    [
        (BACKTRACKING, LONG, "does not match"),
        ({"items": {"$schema": "http://json-schema.org/draft-07/schema#", **BACKTRACKING}}, [LONG], "match"),
        ({"patternProperties": {"^(a+)+$": False}, "additionalProperties": False}, {LONG: 1}, "not allowed"),
        ({"propertyNames": BACKTRACKING}, {LONG: 1}, "does not match"),
        (
            {"allOf": [{"patternProperties": {"^(a+)+$": True}}], "unevaluatedProperties": False},
            {LONG: 1},
            "",
        ),
    ],
)
def test_patterns_are_matched_in_linear_time(schema: Any, value: Any, problem: str) -> None:
    found = messages(schema, value)
    assert problem in found[0] if problem else not found


@pytest.mark.parametrize("pattern", ["(?=a)b", r"(a)\1", "(a{1000}){1000}"])
def test_a_pattern_that_cannot_be_matched_in_linear_time_is_not_checked(pattern: str) -> None:
    assert schema_error({"pattern": pattern}) is None
    assert messages({"pattern": pattern}, "b") == []


def test_a_property_is_additional_unless_it_is_named_or_matches_a_pattern() -> None:
    schema = {
        "properties": {"$schema": {"type": "string"}},
        "patternProperties": {"^x-": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert messages(schema, {"$schema": "a", "x-b": 1}) == []
    assert messages(schema, {"$schema": 1}) == ["1 is not of type 'string'"]
    assert messages(schema, {"x-b": "1"}) == ["'1' is not of type 'integer'"]
    assert "'y' was unexpected" in messages(schema, {"y": 1})[0]


def test_a_large_value_that_fits_has_no_problem() -> None:
    schema = {"items": {"type": "string", "maxLength": 20}, "type": "array"}
    assert messages(schema, ["https://a.example/"] * 50_000) == []


def test_a_schema_without_end_of_nesting_is_refused() -> None:
    schema: dict[str, Any] = {}
    for _ in range(500):
        schema = {"items": schema}
    assert "nested too deeply" in (schema_error(schema) or "")
