"""The record of a tick, given the state of its schedule. Pure."""

from __future__ import annotations

from datetime import datetime

from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap
from contracts.domain.schedule.ticks import Decision, Ticked
from scheduler.active_schedules import ActiveSchedule


def judged(entry: ActiveSchedule, tick: datetime, state: ticks.State, *, going: bool) -> Ticked:
    """The decision about a due tick, by the overlap policy; `going`: whether the last run still runs."""
    overlap = entry.schedule.overlap
    if not going or overlap is Overlap.ALLOW:
        return fired(entry, tick)
    if overlap is Overlap.CANCEL_RUNNING:
        return fired(entry, tick, f"the run {state.run_id} was still going and has been cancelled for it")
    still = f"the run {state.run_id} is still going"
    if overlap is Overlap.SKIP:
        return unfired(entry, tick, Decision.SKIPPED, still)
    if state.queued is None:
        return unfired(entry, tick, Decision.QUEUED, still)
    waits = f"the tick of {state.queued.isoformat()} waits already"
    return unfired(entry, tick, Decision.SKIPPED, f"{still}, and {waits}")


def fired(entry: ActiveSchedule, tick: datetime, reason: str | None = None) -> Ticked:
    """The tick fires: its run is requested."""
    return _ticked(entry, tick, Decision.FIRED, reason, entry.run_id(tick))


def unfired(entry: ActiveSchedule, tick: datetime, decision: Decision, reason: str) -> Ticked:
    """No run is requested, for now or ever."""
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
