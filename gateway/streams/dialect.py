"""Dialects: the names of events and fields that the streams of each HTTP resource use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contracts.core.event import Json
from contracts.domain import dag, run

StreamEvent = dict[str, Json]
"""One event of a stream: `type`, id of the run, `timestamp` in milliseconds since 1970, and fields."""


@dataclass(frozen=True, eq=False, slots=True)
class Dialect:
    """Names of events and fields in one resource, by the names that StreamProjection uses."""

    id: str
    """Name of the field with the id of the run."""
    events: Mapping[str, str]
    """Names of events. Other events keep their name."""
    fields: Mapping[str, str]
    """Names of fields. Other fields keep their name."""
    unsaid: frozenset[str]
    """Fields that are omitted."""
    statuses: Mapping[str, str]
    """Names of statuses. Other statuses keep their name."""
    counters: Callable[[run.State], tuple[str, ...]]
    """Fields with the progress of a run, in addition to its status."""
    name_step: Callable[[str, int | None], StreamEvent]
    """Returns the fields that name a step of a plan, from its id and its position by id, from 1."""
    knows: Callable[[run.State, dag.Requested | None], bool]
    """Whether a run, or a run that waits for the requested plan, belongs to this resource."""
    with_counters: frozenset[str] = field(default_factory=frozenset)
    """Events that include the counters."""

    def event(self, run_id: str, name: str, at: int, fields: Mapping[str, Json]) -> StreamEvent:
        """Return an event of a run in this dialect."""
        named = {
            self.fields.get(key, key): self.statuses.get(value, value) if key == "status" else value
            for key, value in fields.items()
            if key not in self.unsaid
        }
        return {"type": self.events.get(name, name), self.id: run_id, "timestamp": at, **named}
