"""The ticks of a schedule, and the decision about each.

Only the scheduler writes them. This aggregate is the history of a schedule; its definition is part of the DAG
or goal. The aggregate id is the id of the schedule; the schedule of a DAG has the id of the DAG. Every event
repeats the whole state, so only the newest commit must be read.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.ids import derived_id

CLOCKS_DIFFER = timedelta(minutes=5)
"""Maximum difference between the clocks of machines with a correct time."""
MAX_UNFINISHED = 16
"""Maximum number of unfinished runs that a schedule keeps in its events. The oldest are dropped."""

Unfinished = Annotated[tuple[str, ...], Field(exclude_if=operator.not_)]
"""Ids of runs, oldest first."""


class Decision(StrEnum):
    """The decision about a tick."""

    FIRED = "fired"
    QUEUED = "queued"
    """The run of the tick waits until the current run has ended."""
    SKIPPED = "skipped"
    MISSED = "missed"


class Ticked(Event):
    """The scheduler decided about a tick."""

    type: ClassVar[str] = "schedule.ticked"
    tick: datetime
    decision: Decision
    reason: str | None = None
    """Why the tick did not fire, or what the scheduler did besides, such as cancelling the current run."""
    dag_id: str | None = None
    goal_id: str | None = None
    run_id: str | None = None
    """The requested run, if the tick fired."""
    previous_run: str | None = None
    """The last requested run, if this tick requests none."""
    unfinished: Unfinished = ()
    """Runs requested before the last one that had not ended, or may be resumed."""
    queued: datetime | None = None
    """The earlier tick whose run still waits."""
    passed_over: datetime | None = None
    """Ticks up to this one may have been decided before, when the clock was ahead."""


class Amended(Event):
    """The decision about a tick changed: its queued run starts, or its run could not be requested."""

    type: ClassVar[str] = "schedule.amended"
    tick: datetime
    decision: Decision
    reason: str | None = None
    dag_id: str | None = None
    goal_id: str | None = None
    run_id: str | None = None
    previous_run: str | None = None
    unfinished: Unfinished = ()
    queued: datetime | None = None
    newest: datetime
    """The newest tick decided about."""
    passed_over: datetime | None = None


class Rewound(Event):
    """The clock was ahead and was corrected: ticks after `newest` are decided again when they are due."""

    type: ClassVar[str] = "schedule.rewound"
    tick: datetime
    decision: Decision
    run_id: str | None = None
    unfinished: Unfinished = ()
    queued: datetime | None = None
    newest: datetime
    """The time of the corrected clock."""
    passed_over: datetime
    """The newest tick that was decided before the correction."""


@dataclass(frozen=True, slots=True)
class State:
    """The current state of a schedule."""

    decision: Decision | None = None
    """The newest decision."""
    tick: datetime | None = None
    """The tick of the newest decision."""
    newest: datetime | None = None
    """The newest tick decided about."""
    run_id: str | None = None
    """The last requested run."""
    unfinished: tuple[str, ...] = ()
    """Runs requested before the last one that had not ended, or may be resumed, oldest first."""
    queued: datetime | None = None
    """The tick whose run waits."""
    passed_over: datetime | None = None
    """Ticks up to this one may have been decided, and may have a run, because the clock was ahead."""

    @property
    def requested(self) -> tuple[str, ...]:
        """The requested runs that may be in progress, oldest first."""
        return (*self.unfinished, self.run_id) if self.run_id else self.unfinished

    @property
    def asks(self) -> datetime | None:
        """The tick of the newest decision if it fired, else None. The run of this tick must exist."""
        return self.tick if self.decision is Decision.FIRED else None


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    if isinstance(event, Rewound):
        return State(
            decision=event.decision,
            tick=event.tick,
            newest=event.newest,
            run_id=event.run_id,
            unfinished=event.unfinished,
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
        unfinished=event.unfinished,
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
    """Record decisions. Ticks up to the newest decided tick are ignored: they are already decided."""
    events: list[Ticked] = []
    for ticked in ticks:
        if state.newest and ticked.tick <= state.newest:
            continue
        previous = None if ticked.run_id else state.run_id
        again = state.passed_over if state.passed_over and state.passed_over > ticked.tick else None
        event = ticked.model_copy(
            update={
                "previous_run": previous,
                "unfinished": ticked.unfinished if ticked.run_id else state.unfinished,
                "queued": state.queued,
                "passed_over": again,
            }
        )
        events.append(event)
        state = evolve(state, event)
    return events


def amend(state: State, ticked: Ticked) -> list[Amended]:
    """Change the decision about the queued tick, or about the newest tick if it fired."""
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
        unfinished=ticked.unfinished if ticked.run_id else state.unfinished,
        queued=queued,
        newest=state.newest,
        passed_over=state.passed_over,
    )
    return [amended]


def rewind(state: State, now: datetime) -> list[Event]:
    """Continue from `now` if the newest decided tick is more than CLOCKS_DIFFER in the future."""
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
        unfinished=state.unfinished,
        queued=state.queued,
        newest=now,
        passed_over=state.newest,
    )
    return [rewound]


def is_ahead(instant: datetime, now: datetime) -> bool:
    """Whether `instant` is more than CLOCKS_DIFFER in the future, so the clock that wrote it was ahead."""
    return instant - now > CLOCKS_DIFFER


def run_id(schedule_id: str, at: datetime, prefix: str = "dag-exec_") -> str:
    """The id of the run of a tick. All schedulers compute the same id."""
    return derived_id(prefix, schedule_id, at.isoformat())
