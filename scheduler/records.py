"""Makes the records of ticks. Pure."""

from __future__ import annotations

from datetime import datetime

from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap
from contracts.domain.schedule.ticks import Decision, Ticked
from scheduler.active_schedules import ActiveSchedule


def judged(entry: ActiveSchedule, tick: datetime, state: ticks.State, *, is_running: bool) -> Ticked:
    """Decide a due tick by the overlap policy. `is_running`: whether the last run is in progress."""
    overlap = entry.schedule.overlap
    if not is_running or overlap is Overlap.ALLOW:
        return fired(entry, tick)
    if overlap is Overlap.CANCEL_RUNNING:
        return fired(entry, tick, f"the run {state.run_id} was in progress and has been cancelled for it")
    still = f"the run {state.run_id} is still in progress"
    if overlap is Overlap.SKIP:
        return not_fired(entry, tick, Decision.SKIPPED, still)
    if state.queued is None:
        return not_fired(entry, tick, Decision.QUEUED, still)
    waits = f"the tick of {state.queued.isoformat()} is already queued"
    return not_fired(entry, tick, Decision.SKIPPED, f"{still}, and {waits}")


def fired(entry: ActiveSchedule, tick: datetime, reason: str | None = None) -> Ticked:
    """The record of a tick that fires: its run is requested."""
    return _ticked(entry, tick, Decision.FIRED, reason, entry.run_id(tick))


def not_fired(entry: ActiveSchedule, tick: datetime, decision: Decision, reason: str) -> Ticked:
    """The record of a tick that does not fire: it is queued, skipped or missed."""
    return _ticked(entry, tick, decision, reason)


def _ticked(
    entry: ActiveSchedule, tick: datetime, decision: Decision, reason: str | None, run_id: str | None = None
) -> Ticked:
    _, owner = entry.owner
    return Ticked(
        tick=tick,
        decision=decision,
        reason=reason,
        dag_id=None if entry.of_goal else owner,
        goal_id=owner if entry.of_goal else None,
        run_id=run_id,
    )
