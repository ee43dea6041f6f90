"""What all resources are made of: camelCase models, times as ISO text, money as decimal text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, PlainSerializer, WithJsonSchema
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from contracts.views import usd_text

T = TypeVar("T")

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def iso(ms: int) -> str:
    """Milliseconds since 1970 as `2026-11-23T06:38:54.000Z`."""
    seconds, left = divmod(ms, 1000)
    return f"{_to_the_second(seconds)}.{left:03}Z"


@lru_cache(maxsize=8192)
def _to_the_second(seconds: int) -> str:
    """Cached, because the times on a page are few seconds and many rows."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


def epoch_ms(time: datetime) -> int:
    """`time` as milliseconds since 1970."""
    return (time - EPOCH) // timedelta(milliseconds=1)


class _NotNull:
    """Takes the null out of `T | None`."""

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


Omissible = Annotated[T | None, _NotNull()]
"""A key that may be left out, which is then None; null itself is refused."""

Absent = Annotated[T | None, Field(exclude_if=lambda value: value is None)]
"""A key of an answer that is left out where there is nothing to say."""

NonEmpty = Annotated[str, Field(min_length=1)]

Timestamp = Annotated[
    int, PlainSerializer(iso, str), WithJsonSchema({"type": "string", "format": "date-time"})
]
"""Milliseconds since 1970 inside, ISO 8601 in UTC outside."""

Usd = Annotated[
    int, PlainSerializer(usd_text, str), WithJsonSchema({"type": "string", "pattern": r"^-?\d+(\.\d+)?$"})
]
"""10⁻¹² US dollars inside, exact decimal text outside."""


class Body(BaseModel):
    """A JSON body: no type is taken for another, unknown keys are passed over."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore", alias_generator=to_camel)


class Query(BaseModel):
    """The query of a URL, where everything is text; unknown keys are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class Row(BaseModel):
    """A part of an answer, made from a row of the views or by its own names."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True, serialize_by_alias=True
    )
