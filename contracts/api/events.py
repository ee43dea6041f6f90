"""The event stream over HTTP."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from contracts.api.fields import Query
from contracts.api.numbers import COERCED
from contracts.core.actors import LONGEST_ACTOR
from contracts.core.event import Json
from contracts.core.suggestions import did_you_mean
from contracts.core.text import by_commas
from contracts.domain.registry import AGGREGATES

LAST_SEQ = 2**63 - 1

NAMES = tuple(aggregate.name for aggregate in AGGREGATES)
TYPES = tuple(event.type for aggregate in AGGREGATES for event in aggregate.events)


class _OneOf:
    """Validates that each text is one of the known texts."""

    def __init__(self, known: Iterable[str]) -> None:
        self._known = tuple(known)

    def __call__(self, given: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [text for text in given if text not in self._known]
        if unknown:
            hint = did_you_mean(unknown[0], self._known) or f"; there are {', '.join(self._known)}"
            raise PydanticCustomError("custom", f"{unknown[0][:80]!r} is unknown{hint}")
        return given

    @property
    def schema(self) -> dict[str, Json]:
        return {"type": "array", "items": {"type": "string", "enum": list(self._known)}}


_NAMED, _TYPED = _OneOf(NAMES), _OneOf(TYPES)


class EventQuery(Query):
    """Which events to send. Default: all events from now on."""

    aggregate: Annotated[
        tuple[str, ...], BeforeValidator(by_commas), AfterValidator(_NAMED), WithJsonSchema(_NAMED.schema)
    ] = ()
    """Only events of these aggregates, separated by commas."""
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] | None = None
    """Only events of the aggregate with this id."""
    type: Annotated[
        tuple[str, ...], BeforeValidator(by_commas), AfterValidator(_TYPED), WithJsonSchema(_TYPED.schema)
    ] = ()
    """Only events of these types, separated by commas."""
    actor: Annotated[str, Field(min_length=1, max_length=LONGEST_ACTOR)] | None = None
    """Only events that this actor asked for, such as `key:ci` or `service:scheduler`."""
    after: Annotated[int, Field(ge=0, le=LAST_SEQ), COERCED] | None = None
    """Start after this position in the log; 0 starts with the first event."""
    follow: bool = True
    """Whether to continue with new events. `false`: the stream ends after the events up to now."""
