"""What models and plans are shown of a tool's input."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from contracts.core.outcome import Reject
from contracts.core.tool import Effect
from executor.tools.artifacts import Artifacts
from executor.tools.guard import guarded_session
from executor.tools.inputs import email_address, http_url, json_schema
from executor.tools.parsers import Parsers
from executor.tools.read_file import ReadFile
from executor.tools.registry import Registry, build_registry
from executor.tools.send_email import SendEmail
from executor.tools.send_webhook import SendWebhook
from executor.tools.settings import ToolSettings
from executor.tools.tool import CallContext
from executor.tools.web_search import WebSearch
from executor.tools.write_file import WriteFile, write_file

CALL = CallContext("run/001")


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    async with guarded_session(()) as http:
        yield build_registry(ToolSettings(_env_file=None), http, Parsers())


def _without_descriptions(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_descriptions(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key != "description" or not isinstance(value, str)}
    return {key: _without_descriptions(value) for key, value in kept.items()}


def test_the_schema_of_web_search_is_the_published_one() -> None:
    assert _without_descriptions(json_schema(WebSearch)) == {
        "type": "object",
        "properties": {
            "query": {"type": "string"},
            "limit": {"type": "integer", "minimum": 1, "maximum": 20, "default": 10},
        },
        "required": ["query"],
        "additionalProperties": False,
    }


def test_nested_models_optional_fields_and_formats_are_written_out() -> None:
    email = {"type": "string", "format": "email"}
    schema = _without_descriptions(json_schema(SendEmail))
    assert schema["required"] == ["to", "subject", "body"]
    assert schema["properties"]["to"] == email
    assert schema["properties"]["cc"] == {"anyOf": [email, {"type": "array", "items": email}]}
    assert schema["properties"]["html"] == {"type": "boolean", "default": False}
    assert schema["properties"]["attachments"] == {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                "filename": {"type": "string", "minLength": 1},
                "path": {"type": "string"},
                "content": {"type": "string"},
                "contentType": {"type": "string", "pattern": r"^[\w.+-]+/[\w.+-]+$"},
                "encoding": {"type": "string", "enum": ["base64", "utf-8"], "default": "utf-8"},
            },
            "required": ["filename"],
            "additionalProperties": False,
        },
    }


def test_every_built_in_tool_describes_itself_and_every_field(registry: Registry) -> None:
    for spec in registry.specs:
        jsonschema.Draft202012Validator.check_schema(spec.parameters)
        assert spec.description
        assert spec.parameters["type"] == "object"
        assert spec.parameters["additionalProperties"] is False
        assert all(field["description"] for field in spec.parameters["properties"].values())


def test_url_and_email_fields_carry_their_format(registry: Registry) -> None:
    formats = {
        spec.name: {
            name: field["format"]
            for name, field in spec.parameters["properties"].items()
            if "format" in field
        }
        for spec in registry.specs
    }
    assert {name: found for name, found in formats.items() if found} == {
        "fetchPage": {"url": "uri"},
        "sendWebhook": {"url": "uri"},
        "sendEmail": {"to": "email"},
    }
    items = registry.get("fetchURLs").spec.parameters["properties"]["urls"]["items"]["anyOf"]
    assert [item["type"] for item in items] == ["string", "object"]


@pytest.mark.parametrize("key", ["max_length", "MaxLength", "maxlength", "max-length", "MAX_LENGTH"])
def test_a_key_in_another_style_is_the_declared_one(key: str) -> None:
    assert ReadFile.model_validate({"Path": "a.txt", key: 5}).max_length == 5


def test_a_key_as_declared_has_precedence_over_other_styles() -> None:
    given = {"path": "a.txt", "maxLength": 5, "max_length": 6}
    assert ReadFile.model_validate(given).max_length == 5


def test_the_effect_of_a_call_does_not_depend_on_the_style_of_its_keys(registry: Registry) -> None:
    write = registry.get("writeFile")
    assert {write.effect_of({key: "append"}) for key in ("mode", "Mode", "MODE")} == {Effect.ONCE}


def test_unknown_keys_are_ignored() -> None:
    given = {"path": "a.txt", "maxLength": 5, "colour": "red"}
    assert ReadFile.model_validate(given) == ReadFile.model_validate({"path": "a.txt", "maxLength": 5})


async def test_bad_parameters_are_rejected_with_field_complaint_and_expectation(registry: Registry) -> None:
    with pytest.raises(Reject) as rejected:
        await registry.get("webSearch").invoke({"limit": 50}, CALL)
    message = str(rejected.value)
    assert message.startswith(
        "Invalid parameters for webSearch: query: Field required; limit: Input should be less"
    )
    assert '"maximum":20' in message


async def test_a_null_parameter_means_absent(registry: Registry) -> None:
    with pytest.raises(Reject, match="path: Field required"):
        await registry.get("readFile").invoke({"path": None, "maxLength": None}, CALL)


@pytest.mark.parametrize(
    "text", ["", "example.com", "/a", "ftp://a.example", "file:///etc/passwd", "http://", "http://["]
)
def test_only_absolute_http_urls_are_urls(text: str) -> None:
    with pytest.raises(ValueError, match="absolute http"):
        http_url(text)


def test_space_around_a_url_is_dropped() -> None:
    assert http_url(" https://example.com/a?b=c\n") == "https://example.com/a?b=c"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a",
        "a@",
        "@b.example",
        "A <a@b.example>",
        "a@b.example, c@d.example",
        "a@b.example\r\nBcc: c@d.example",
    ],
)
def test_only_bare_addresses_are_email_addresses(text: str) -> None:
    with pytest.raises(ValueError, match="one e-mail address"):
        email_address(text)


@pytest.mark.parametrize("name", ["Host", "content-length", "Webhook-Signature", "idempotency-key"])
def test_a_webhook_may_not_set_the_headers_that_are_ours(name: str) -> None:
    with pytest.raises(ValueError, match="set by the system"):
        SendWebhook.model_validate({"url": "https://a.example", "payload": {}, "headers": {name: "x"}})


def test_content_that_is_not_text_is_written_as_json() -> None:
    content = [{"title": "Zürich"}]
    request = WriteFile.model_validate({"path": "a.json", "content": content})
    assert request.content == '[\n  {\n    "title": "Zürich"\n  }\n]'


@pytest.mark.parametrize(
    ("params", "effect"),
    [
        ({}, "idempotent"),
        ({"mode": None}, "idempotent"),
        ({"mode": "overwrite"}, "idempotent"),
        ({"mode": "append"}, "once"),
        ({"mode": "<Result of Task 1>"}, "once"),
        ({"mode": ["overwrite"]}, "once"),
    ],
)
def test_writing_is_idempotent_unless_it_may_append(
    params: dict[str, Any], effect: str, tmp_path: Path
) -> None:
    assert write_file(Artifacts(tmp_path)).effect_of(params) == effect
