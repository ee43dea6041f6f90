"""Base models and field types of all resources: camelCase keys, ISO 8601 times, money as decimal text."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import InvalidOperation
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema
from pydantic_core.core_schema import no_info_after_validator_function, str_schema, union_schema

from contracts.api.old_clients import IGNORED_KEYS
from contracts.core.event import Json, Usage
from contracts.core.money import pico_usd, usd_text
from contracts.core.suggestions import closest

T = TypeVar("T")

MISSPELLED = 0.8
"""Minimum similarity of an unknown parameter of a query to a known one, to be refused as misspelled."""


@lru_cache(maxsize=16384)
def iso(ms: int) -> str:
    """Format milliseconds since 1970 as `2026-11-23T06:38:54.000Z`."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def epoch_ms(time: datetime) -> int:
    """Return `time` as milliseconds since 1970, rounded as in the views."""
    return round(time.timestamp() * 1000)


def tokens(prompt: int | None, completion: int | None) -> dict[str, Json] | None:
    """Return the token counts as a `TokenUsage`, or None if both are unknown."""
    if prompt is None and completion is None:
        return None
    prompt, completion = prompt or 0, completion or 0
    return {"promptTokens": prompt, "completionTokens": completion, "totalTokens": prompt + completion}


def tokens_of(usage: Usage | None) -> dict[str, Json] | None:
    """Return an event's usage as a `TokenUsage`."""
    return tokens(usage.prompt_tokens, usage.completion_tokens) if usage else None


class _NotNull:
    """Removes null from the schema of `T | None`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Omissible = Annotated[T | None, _NotNull()]
"""The type of an optional key: None if the client omits the key. The client must not send null."""

Absent = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""A key of an answer that is omitted if its value is None."""

NonEmpty = Annotated[str, Field(min_length=1)]


def _require_visible(text: str) -> str:
    if text and not re.search(VISIBLE["pattern"], text):
        raise ValueError("String must not be blank")
    return text


VISIBLE = {"pattern": r"\S"}
"""What the JSON Schema of a text says that must not be blank."""
NOT_BLANK = AfterValidator(_require_visible)
NotBlank = Annotated[str, Field(min_length=1, json_schema_extra={**VISIBLE}), NOT_BLANK]
"""Text with at least one character that is not white space."""
Title = Annotated[str, Field(max_length=1000)]


class _OrText:
    """Also accepts the text form that answers use for a number."""

    def __init__(self, read: Callable[[str], int]) -> None:
        self._read = read

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = no_info_after_validator_function(self._read, str_schema(strict=True))
        return union_schema([handler(source), text])


def _ms(text: str) -> int:
    return epoch_ms(datetime.fromisoformat(text))


def _pico(text: str) -> int:
    try:
        return pico_usd(text) or 0
    except InvalidOperation:
        raise ValueError("no decimal number") from None


Timestamp = Annotated[
    int, _OrText(_ms), PlainSerializer(iso, str), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""Milliseconds since 1970 in Python, ISO 8601 in UTC in JSON."""

Usd = Annotated[
    int,
    _OrText(_pico),
    PlainSerializer(usd_text, str),
    WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"}),
]
"""10⁻¹² US dollars in Python, exact decimal text in JSON."""


class Body(BaseModel):
    """A JSON body. Types are not converted, and unknown keys are an error."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", alias_generator=to_camel, defer_build=True
    )

    @model_validator(mode="before")
    @classmethod
    def _without_keys_of_old_clients(cls, given: Any) -> Any:
        ignored = IGNORED_KEYS.get(cls.__name__, frozenset())
        if isinstance(given, dict) and not ignored.isdisjoint(given):
            return {key: value for key, value in given.items() if key not in ignored}
        return given


class Query(BaseModel):
    """The query of a URL. All values are text. Unknown keys are ignored, unless they resemble a known one."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_misspelled_keys(cls, given: Any) -> Any:
        known = {field.alias or name for name, field in cls.model_fields.items()}
        for key in given if isinstance(given, dict) else ():
            if key not in known and (meant := closest(str(key)[:100], sorted(known), likeness=MISSPELLED)):
                raise ValueError(f"Unrecognized parameter {key!r}; did you mean {meant!r}?")
        return given


class Row(BaseModel):
    """A part of an answer. It is built from a row of a view or from keyword arguments."""

    model_config = ConfigDict(
        frozen=True,
        extra="ignore",
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        defer_build=True,
    )
