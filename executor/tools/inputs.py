"""Input of tools: base model, shared field types, JSON Schemas and readable error messages."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from email.errors import MessageError
from email.headerregistry import Address
from email.policy import SMTP
from functools import cache
from typing import Annotated, Any

import idna
import orjson
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError, WithJsonSchema, model_validator
from pydantic.alias_generators import to_camel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import CoreSchema, core_schema
from yarl import URL

from contracts.core.event import Json
from contracts.core.tool import keys_as_declared

NOT_AN_ADDRESS = "it must be one e-mail address such as name@example.com"
NOT_A_URL = "it must be an absolute http:// or https:// URL"


class ToolInput(BaseModel):
    """Base of the inputs of tools. Keys are in camelCase; unknown keys are ignored.

    Models write keys in other ways, too: `max_length` and `MaxLength` are `maxLength`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)

    @classmethod
    def as_declared(cls, given: Mapping[str, Json]) -> dict[str, Json]:
        """`given` with its keys as declared."""
        return keys_as_declared(given, _known_keys(cls))

    @model_validator(mode="before")
    @classmethod
    def _keys_as_declared(cls, given: Any) -> Any:
        return cls.as_declared(given) if isinstance(given, dict) else given

    @classmethod
    def describe_parameters(cls) -> dict[str, Json]:
        """The JSON Schema of the input, for models and plans."""
        return json_schema(cls)


def declared_keys(model: type[ToolInput]) -> Collection[str]:
    """The keys of an input, in the order in which its model declares them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


@cache
def _known_keys(model: type[ToolInput]) -> Collection[str]:
    return frozenset(declared_keys(model))


def http_url(text: str) -> str:
    """`text` without surrounding space.

    Raises:
        ValueError: `text` is not an absolute HTTP URL.
    """
    text = text.strip()
    try:
        url = URL(text)
    except ValueError as error:
        raise ValueError(f"{NOT_A_URL}: {error}") from error
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(NOT_A_URL)
    return text


def is_http_url(text: str) -> bool:
    """Whether `text` is an absolute HTTP URL."""
    try:
        http_url(text)
    except ValueError:
        return False
    return True


def email_address(text: str) -> str:
    """`text` without surrounding space, with its domain in ASCII (IDNA). The local part may be non-ASCII.

    Raises:
        ValueError: it is not one bare `local@domain` address.
    """
    try:
        local, _, domain = one_line(text.strip()).rpartition("@")
        in_ascii = domain if domain.isascii() else idna.encode(domain, uts46=True).decode()
        address = Address(addr_spec=f"{_letters_as_ascii(local)}@{in_ascii}")
    except (ValueError, IndexError, MessageError) as error:
        raise ValueError(NOT_AN_ADDRESS) from error
    if not address.username or not address.domain:
        raise ValueError(NOT_AN_ADDRESS)
    return f"{local}@{in_ascii}"


def one_line(text: str) -> str:
    """`text`, checked to be safe in a mail header.

    Raises:
        ValueError: `text` has a line break, also as an encoded word (`=?utf-8?q?…?=`).
    """
    if any("\0" in shown or shown.splitlines() not in ([], [shown]) for shown in (text, _as_header(text))):
        raise ValueError("it must be a single line")
    return text


def _as_header(text: str) -> str:
    """`text` as Python's e-mail package reads it in a header, with encoded words decoded."""
    return "" if text.splitlines() not in ([], [text]) else str(SMTP.header_factory("Subject", text))


def _letters_as_ascii(text: str) -> str:
    """`text` with every printable non-ASCII character as `x`: such characters are valid with SMTPUTF8."""
    return "".join("x" if one.isprintable() and not one.isascii() else one for one in text)


Line = Annotated[str, AfterValidator(one_line)]
HttpUrl = Annotated[str, AfterValidator(http_url), WithJsonSchema({"type": "string", "format": "uri"})]
EmailAddress = Annotated[
    str, AfterValidator(email_address), WithJsonSchema({"type": "string", "format": "email"})
]


def json_schema(model: type[BaseModel]) -> dict[str, Json]:
    """The JSON Schema for models and plans: without titles, references and nulls, and without additional
    properties.
    """
    schema = model.model_json_schema(schema_generator=_PlainSchema)
    definitions = schema.pop("$defs", {})
    plain: dict[str, Json] = _inlined(schema, definitions)
    return {"type": "object", "properties": {}, "required": [], **plain, "additionalProperties": False}


def explain(error: ValidationError, schema: Mapping[str, Json]) -> str:
    """The invalid fields and what they expect, for a reader who cannot see the code."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    faults = dict.fromkeys(f"{_place(fault['loc'])}: {_complaint(fault['msg'])}" for fault in found)
    fields = dict.fromkeys(fault["loc"][0] for fault in found if fault["loc"])
    properties = schema["properties"]
    expected = {field: properties[field] for field in fields if field in properties}
    said = "; ".join(faults)
    return f"{said}. Expected: {orjson.dumps(expected).decode()}" if expected else said


def _place(location: tuple[int | str, ...]) -> str:
    return ".".join(map(str, location)) or "parameters"


def _complaint(message: str) -> str:
    return message.removeprefix("Value error, ")


class _PlainSchema(GenerateJsonSchema):
    """pydantic's schemas without titles, null types and null defaults."""

    def generate(self, schema: CoreSchema, mode: JsonSchemaMode = "validation") -> JsonSchemaValue:
        plain = super().generate(schema, mode)
        plain.pop("description", None)
        return plain

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        plain = super().model_schema(schema)
        plain.pop("title", None)
        return {**plain, "additionalProperties": False}

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        if schema.get("default") is None:
            return self.generate_inner(schema["schema"])
        return super().default_schema(schema)


def _inlined(node: Any, definitions: Mapping[str, Json]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(definitions[node["$ref"].rpartition("/")[2]], definitions)
    return {key: _inlined(value, definitions) for key, value in node.items()}
