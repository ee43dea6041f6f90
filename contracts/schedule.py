"""A schedule's ticks: one event for each, saying what was decided about it.

Written by the scheduler only. The definition of a schedule belongs to what it fires (a DAG); this is its
history. The id is that of the schedule; a DAG's own schedule has the DAG's id.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from contracts.aggregate import Aggregate
from contracts.event import Event
from contracts.ids import derived_id


class Decision(StrEnum):
    """What came of a tick."""

    FIRED = "fired"
    SKIPPED = "skipped"
    MISSED = "missed"


class Ticked(Event):
    """The moment came and was decided about."""

    type: ClassVar[str] = "schedule.ticked"
    tick: datetime
    decision: Decision
    reason: str | None = None
    """Why it did not fire."""
    dag_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class State:
    """The newest tick decided, which is all that is needed to find the next."""

    last: Ticked | None = None


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    return State(event) if isinstance(event, Ticked) else state


SCHEDULE = Aggregate(
    "schedule",
    State(),
    evolve,
    lambda state: state.last.decision.value if state.last else "absent",
    (Ticked,),
)


def tick(state: State, ticked: Ticked) -> list[Event]:
    """Record what was decided; a tick that is not after the last one has been decided already."""
    if state.last and ticked.tick <= state.last.tick:
        return []
    return [ticked]


def run_id(schedule_id: str, at: datetime, prefix: str = "dag-exec_") -> str:
    """The id of the one run of a tick, the same whichever scheduler computes it."""
    return derived_id(prefix, schedule_id, at.isoformat())
