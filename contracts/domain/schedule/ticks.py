"""The ticks of a schedule, and the decision about each.

Written by the scheduler only. The definition of a schedule belongs to what it fires (a DAG, a goal); this is
its history. The id is that of the schedule; a DAG's own schedule has the DAG's id. Every event repeats what
is needed to go on, so that the newest commit is all that has to be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.ids import derived_id

CLOCKS_DIFFER = timedelta(minutes=5)
"""At most, on machines that are set right."""


class Decision(StrEnum):
    """The decision about a tick."""

    FIRED = "fired"
    QUEUED = "queued"
    """Its run waits for the one that is going."""
    SKIPPED = "skipped"
    MISSED = "missed"


class Ticked(Event):
    """A tick was decided."""

    type: ClassVar[str] = "schedule.ticked"
    tick: datetime
    decision: Decision
    reason: str | None = None
    """Why it did not fire, or what else had to be done for it."""
    dag_id: str | None = None
    goal_id: str | None = None
    run_id: str | None = None
    """The run it asks for, when it fires."""
    previous_run: str | None = None
    """The run asked for last, when this tick asks for none."""
    queued: datetime | None = None
    """The earlier tick whose run waits still."""
    passed_over: datetime | None = None
    """Ticks up to this one may have been decided before, by a clock that was ahead."""


class Amended(Event):
    """A decided tick is decided again: its queued run starts, or its run could not be requested."""

    type: ClassVar[str] = "schedule.amended"
    tick: datetime
    decision: Decision
    reason: str | None = None
    dag_id: str | None = None
    goal_id: str | None = None
    run_id: str | None = None
    previous_run: str | None = None
    queued: datetime | None = None
    newest: datetime
    """The newest tick decided about."""
    passed_over: datetime | None = None


class Rewound(Event):
    """Ticks were decided by a clock that was ahead. Those after `newest` are decided again when they come."""

    type: ClassVar[str] = "schedule.rewound"
    tick: datetime
    decision: Decision
    run_id: str | None = None
    queued: datetime | None = None
    newest: datetime
    """The time by the corrected clock."""
    passed_over: datetime
    """The newest tick that had been decided about."""


@dataclass(frozen=True, slots=True)
class State:
    """Where the schedule stands."""

    decision: Decision | None = None
    """The newest one."""
    tick: datetime | None = None
    """What it was about."""
    newest: datetime | None = None
    """The newest tick decided about."""
    run_id: str | None = None
    """The run asked for last."""
    queued: datetime | None = None
    """The tick whose run waits."""
    passed_over: datetime | None = None
    """Ticks up to this one may have been decided, and have a run, from when the clock was ahead."""

    @property
    def asks(self) -> datetime | None:
        """The tick whose run is to exist, when the newest decision was to fire."""
        return self.tick if self.decision is Decision.FIRED else None


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    if isinstance(event, Rewound):
        return State(
            decision=event.decision,
            tick=event.tick,
            newest=event.newest,
            run_id=event.run_id,
            queued=event.queued,
            passed_over=event.passed_over,
        )
    if not isinstance(event, Ticked | Amended):
        return state
    return State(
        decision=event.decision,
        tick=event.tick,
        newest=event.newest if isinstance(event, Amended) else event.tick,
        run_id=event.run_id or event.previous_run,
        queued=event.tick if event.decision is Decision.QUEUED else event.queued,
        passed_over=event.passed_over,
    )


SCHEDULE = Aggregate(
    "schedule",
    State(),
    evolve,
    lambda state: state.decision.value if state.decision else "absent",
    (Ticked, Amended, Rewound),
)


def record(state: State, ticks: Sequence[Ticked]) -> list[Ticked]:
    """Record what was decided; a tick that is not after the newest one has been decided already."""
    events: list[Ticked] = []
    for ticked in ticks:
        if state.newest and ticked.tick <= state.newest:
            continue
        previous = None if ticked.run_id else state.run_id
        again = state.passed_over if state.passed_over and state.passed_over > ticked.tick else None
        carried = {"previous_run": previous, "queued": state.queued, "passed_over": again}
        event = ticked.model_copy(update=carried)
        events.append(event)
        state = evolve(state, event)
    return events


def amend(state: State, ticked: Ticked) -> list[Amended]:
    """Decide anew about the tick that is queued, or about the newest one if it was to fire."""
    if state.newest is None or ticked.tick not in (state.queued, state.asks):
        return []
    if ticked.tick == state.asks and ticked.decision is Decision.FIRED:
        return []
    queued = None if ticked.tick == state.queued else state.queued
    amended = Amended(
        tick=ticked.tick,
        decision=ticked.decision,
        reason=ticked.reason,
        dag_id=ticked.dag_id,
        goal_id=ticked.goal_id,
        run_id=ticked.run_id,
        previous_run=None if ticked.run_id else state.run_id,
        queued=queued,
        newest=state.newest,
        passed_over=state.passed_over,
    )
    return [amended]


def rewind(state: State, now: datetime) -> list[Event]:
    """Continue from `now` if the newest decided tick is further ahead than clocks differ."""
    if (
        state.decision is None
        or state.tick is None
        or state.newest is None
        or not is_ahead(state.newest, now)
    ):
        return []
    rewound = Rewound(
        tick=state.tick,
        decision=state.decision,
        run_id=state.run_id,
        queued=state.queued,
        newest=now,
        passed_over=state.newest,
    )
    return [rewound]


def is_ahead(instant: datetime, now: datetime) -> bool:
    """Whether `instant`, written as the present by another process, is further ahead than clocks differ."""
    return instant - now > CLOCKS_DIFFER


def run_id(schedule_id: str, at: datetime, prefix: str = "dag-exec_") -> str:
    """The id of the one run of a tick, the same whichever scheduler computes it."""
    return derived_id(prefix, schedule_id, at.isoformat())
