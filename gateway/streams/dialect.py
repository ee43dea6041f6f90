"""The words in which clients of one HTTP resource know a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from contracts.core.event import Json
from contracts.domain import dag, run

StreamEvent = dict[str, Json]
"""One event as clients see it: `type`, id of the run, `timestamp` in milliseconds since 1970, and fields."""


@dataclass(frozen=True, eq=False, slots=True)
class Dialect:
    """Names of events and fields, by the names that StreamProjection uses."""

    id: str
    """Name of the field with the id of the run."""
    events: Mapping[str, str]
    """Names of events; an event that is not here keeps its name."""
    fields: Mapping[str, str]
    """Names of fields; a field that is not here keeps its name."""
    unsaid: frozenset[str]
    """Fields that these clients do not get."""
    statuses: Mapping[str, str]
    """Statuses that these clients know by another name."""
    counters: Callable[[run.State], tuple[str, ...]]
    """Fields that say how far a run is, beside its status."""
    name_step: Callable[[str, int | None], StreamEvent]
    """How events name a step of a plan, by its id and its place in the order of ids, from 1."""
    knows: Callable[[run.State, dag.Requested | None], bool]
    """Whether a run, or a run that waits for the requested plan, is one of this resource."""
    with_counters: frozenset[str] = field(default_factory=frozenset)
    """Events that also say how far the run is."""

    def event(self, run_id: str, name: str, at: int, fields: Mapping[str, Json]) -> StreamEvent:
        """An event of a run in these words."""
        named = {
            self.fields.get(key, key): self.statuses.get(value, value) if key == "status" else value
            for key, value in fields.items()
            if key not in self.unsaid
        }
        return {"type": self.events.get(name, name), self.id: run_id, "timestamp": at, **named}
