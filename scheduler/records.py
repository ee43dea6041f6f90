"""Makes the records of ticks. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap
from contracts.domain.schedule.ticks import Decision, Ticked
from scheduler.active_schedules import ActiveSchedule
from scheduler.runs import EarlierRuns


def judged(entry: ActiveSchedule, tick: datetime, queued: datetime | None, earlier: EarlierRuns) -> Ticked:
    """Decide a due tick by the overlap policy. `queued`: the earlier tick whose run waits."""
    overlap, running = entry.schedule.overlap, earlier.in_progress
    if not running or overlap is Overlap.ALLOW:
        return fired(entry, tick, earlier)
    if overlap is Overlap.CANCEL_RUNNING:
        was = "was in progress and has" if len(running) == 1 else "were in progress and have"
        return fired(entry, tick, earlier, f"{_named(running)} {was} been cancelled for it")
    still = f"{_named(running)} {'is' if len(running) == 1 else 'are'} still in progress"
    if overlap is Overlap.SKIP:
        return not_fired(entry, tick, Decision.SKIPPED, still)
    if queued is None:
        return not_fired(entry, tick, Decision.QUEUED, still)
    waits = f"the tick of {queued.isoformat()} is already queued"
    return not_fired(entry, tick, Decision.SKIPPED, f"{still}, and {waits}")


def fired(entry: ActiveSchedule, tick: datetime, earlier: EarlierRuns, reason: str | None = None) -> Ticked:
    """The record of a tick that fires: its run is requested."""
    run_id = entry.run_id(tick)
    unfinished = tuple(one for one in earlier.unfinished if one != run_id)[-ticks.MAX_UNFINISHED :]
    fired_ = _ticked(entry, tick, Decision.FIRED, reason)
    return fired_.model_copy(update={"run_id": run_id, "unfinished": unfinished})


def not_fired(entry: ActiveSchedule, tick: datetime, decision: Decision, reason: str) -> Ticked:
    """The record of a tick that does not fire: it is queued, skipped or missed."""
    return _ticked(entry, tick, decision, reason)


def _named(runs: Sequence[str]) -> str:
    return f"the {'run' if len(runs) == 1 else 'runs'} {' and '.join(runs)}"


def _ticked(entry: ActiveSchedule, tick: datetime, decision: Decision, reason: str | None) -> Ticked:
    _, owner = entry.owner
    return Ticked(
        tick=tick,
        decision=decision,
        reason=reason,
        dag_id=None if entry.of_goal else owner,
        goal_id=owner if entry.of_goal else None,
    )
