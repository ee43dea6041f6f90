"""Decides and records all due ticks of one schedule, and requests at most one run.

A tick fires exactly once, with any number of schedulers and after any crash. The decision is recorded first,
under the optimistic lock of the schedule. Then the run is requested; its id is derived from the tick. If the
scheduler dies in between, the next check requests the run.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from contracts.core.unread import UnreadHistory
from contracts.domain.keys import Keys
from contracts.domain.run_requests import Defaults, RunRequest
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap
from contracts.domain.schedule.ticks import Decision, Ticked
from contracts.runtime.log import Conflict, Log, TooLarge, Unavailable
from contracts.runtime.stream import Origin, Stream
from scheduler.active_schedules import ActiveSchedule, Version
from scheduler.clock import Clock
from scheduler.due import ON_TIME, Due, due
from scheduler.metrics import count_run, count_ticks
from scheduler.owners import OwnerHistory, Owners
from scheduler.records import fired, judged, not_fired
from scheduler.request import CannotStart, goal_run, plan_run, require_payer
from scheduler.runs import ACTOR, Runs

AHEAD = timedelta(seconds=3)
"""How long before a tick what it needs is read and computed. Many ticks may be due at once."""
BEHIND = timedelta(seconds=1)
"""When to check again if the active schedules do not match the log, because one of them lags behind."""
KEPT = 50_000
"""Maximum number of schedules whose newest state is kept in memory."""
STOPPED = "it was missed, and the schedule has been changed or stopped since"
EARLY = "its run was requested earlier, when the clock was ahead"
TOO_LATE = "no scheduler was running to request its run in time"

logger = structlog.get_logger(__name__)

History = Stream[ticks.State]


@dataclass(frozen=True, slots=True)
class NextCheck:
    """When to check a schedule again."""

    again: datetime
    """The time of the next check."""
    awaits: str | None = None
    """Id of a run after whose end to check again; None: only at the time `again`."""


@dataclass(frozen=True, slots=True)
class Case:
    """A schedule, its history, and the DAG or goal that it belongs to."""

    entry: ActiveSchedule
    history: History
    owner: OwnerHistory
    defaults: Defaults

    def asked_by(self, tick: datetime) -> RunRequest:
        """The run that the tick requests.

        Raises:
            CannotStart: the plan cannot be executed.
        """
        prepared = self.owner.prepared.pop(self.entry.id, None)
        if prepared and prepared[:2] == (self.entry, tick):
            return prepared[2]
        payer = self.owner.payer
        if self.entry.of_goal:
            return goal_run(self.entry, tick, self.owner.goal, self.defaults, payer)
        return plan_run(self.entry, tick, self.owner.dag, self.owner.job, payer)

    def prepare(self, tick: datetime) -> None:
        """Compute the run that `tick` requests ahead of it, if it requests one. See `asked_by` for errors."""
        asked = self.asked_by(tick)
        asked = replace(asked, becomes=asked.aggregate.fold([asked.event]))
        self.owner.prepared[self.entry.id] = (self.entry, tick, asked)


class Decider:
    """Decides ticks for one scheduler process."""

    def __init__(
        self,
        log: Log,
        source: str,
        clock: Clock,
        keys: Keys,
        *,
        catch_up: timedelta,
        defaults: Defaults | None = None,
    ) -> None:
        self._log = log
        self._source = source
        self._clock = clock
        self._keys = keys
        self._catch_up = catch_up
        self._defaults = defaults or Defaults()
        self._runs = Runs(log, source)
        self._owners = Owners(log)
        self._histories: dict[str, History] = {}
        """The schedules by id, as this process has last read or written them."""

    async def check(self, entry: ActiveSchedule, seen: Version | None = None) -> NextCheck:
        """Decide every tick of `entry` that is due. `seen`: see `Owners.read`.

        Raises:
            InvalidCron: the schedule has no ticks.
            InvalidTimezone: the time zone does not exist.
            Unavailable: the log could not be reached. A repeated check does nothing twice.
        """
        history = await self._history(entry)
        try:
            check = await self._check(entry, history, seen)
        except Conflict:  # another scheduler decided first; the next check reads its decision
            return NextCheck(self._clock.now())
        self._keep(history)
        return check

    async def _history(self, entry: ActiveSchedule) -> History:
        """The schedule as it was kept, or as the log has it now.

        What another scheduler has decided since is a conflict when this one appends. A schedule that cancels
        runs is read, because it cancels before it appends.
        """
        kept = self._histories.pop(entry.id, None)
        origin = Origin(self._source, actor=ACTOR)
        if kept and entry.schedule.overlap is not Overlap.CANCEL_RUNNING:
            kept.origin = origin
            return kept
        return await Stream.newest(self._log, ticks.SCHEDULE, entry.id, origin)

    def _keep(self, history: History) -> None:
        self._histories[history.id] = history
        if len(self._histories) > KEPT:
            del self._histories[next(iter(self._histories))]

    async def _check(self, entry: ActiveSchedule, history: History, seen: Version | None) -> NextCheck:
        now = self._clock.now()  # after the read: ticks decided during a slow read must not seem ahead
        if ticks.rewind(history.state, now):
            await self._rewind(entry, history, now)
            return NextCheck(now)
        owed = await self._pending_tick(history.state)
        late = self._catch_up_limit(entry)
        ahead = due(entry.cron, after=_decided(entry, history), now=now, catch_up=late, delay=entry.delay)
        if owed is None and ahead is None:
            await self._prepare(entry, history, now, seen)
            return await self._next_check(entry, history)
        owner = await self._owners.read(entry.owner, seen)
        if not owner.has(entry, now):
            return NextCheck(now + BEHIND)
        await self._decide(Case(entry, history, owner, self._defaults), owed, ahead)
        return NextCheck(now) if owed else await self._next_check(entry, history)

    def _catch_up_limit(self, entry: ActiveSchedule) -> timedelta:
        own = entry.schedule.catch_up_s
        return self._catch_up if own is None else timedelta(seconds=own)

    async def _pending_tick(self, state: ticks.State) -> datetime | None:
        """A decided tick whose run must be requested now: its scheduler died, or the tick was queued."""
        if state.asks and state.run_id and not await self._runs.exists(state.run_id):
            return state.asks
        if state.queued and not (await self._runs.earlier(state.requested)).in_progress:
            return state.queued
        return None

    async def _decide(self, case: Case, owed: datetime | None, ahead: Due | None) -> None:
        if owed:
            await self._request_late(case, owed)
        elif ahead:
            await self._record(
                case.history,
                [not_fired(case.entry, one.tick, Decision.MISSED, one.reason) for one in ahead.missed],
            )
            if ahead.fires:
                await self._fire(case, ahead.fires)

    def _asked(self, case: Case, tick: datetime) -> RunRequest:
        """The run that the tick requests.

        Raises:
            CannotStart: the plan cannot be executed, or the key that pays is not valid any more.
        """
        require_payer(case.entry, case.owner.payer, self._keys, self._clock.now())
        return case.asked_by(tick)

    async def _request_late(self, case: Case, tick: datetime) -> None:
        """Request the run of a tick that was decided earlier, if it is not too late or superseded."""
        entry, state = case.entry, case.history.state
        late = self._clock.now() - tick > max(self._catch_up_limit(entry), ON_TIME) and tick != state.queued
        if late or tick <= entry.since:
            reason = TOO_LATE if late else STOPPED
            await self._amend(case.history, not_fired(entry, tick, Decision.MISSED, reason))
            return
        try:
            asked = self._asked(case, tick)
        except CannotStart as why:
            await self._amend(case.history, not_fired(entry, tick, Decision.SKIPPED, str(why)))
            return
        if tick == state.queued:
            await self._amend(case.history, fired(entry, tick, await self._runs.earlier(state.requested)))
        await self._ask(case, tick, asked)

    async def _fire(self, case: Case, tick: datetime) -> None:
        """Decide by the overlap policy whether a tick fires, record that, and request its run if so."""
        entry, state = case.entry, case.history.state
        try:
            asked = self._asked(case, tick)
        except CannotStart as why:
            await self._record(case.history, [not_fired(entry, tick, Decision.SKIPPED, str(why))])
            return
        earlier = await self._runs.earlier(state.requested)
        if state.passed_over and tick <= state.passed_over and await self._runs.exists(entry.run_id(tick)):
            await self._record(case.history, [fired(entry, tick, earlier, EARLY)])
            return
        decided = judged(entry, tick, state.queued, earlier)
        if entry.schedule.overlap is Overlap.CANCEL_RUNNING:
            for run_id in earlier.in_progress:
                await self._runs.cancel(run_id, f"the schedule {entry.id} starts the next run")
        await self._record(case.history, [decided])
        if decided.decision is Decision.FIRED:
            await self._ask(case, tick, asked)

    async def _prepare(
        self, entry: ActiveSchedule, history: History, now: datetime, seen: Version | None
    ) -> None:
        """If the next tick is near, read and compute what it needs. What may change is read again then."""
        tick, at = _next_tick(entry, history)
        if at - now > AHEAD:
            return
        with suppress(Unavailable, UnreadHistory, CannotStart):  # the tick itself has the same problem
            await self._runs.earlier(history.state.requested)
            owner = await self._owners.read(entry.owner, seen)
            if owner.has(entry, now):
                Case(entry, history, owner, self._defaults).prepare(tick)

    async def _next_check(self, entry: ActiveSchedule, history: History) -> NextCheck:
        """At the next tick or AHEAD of it; if one is queued, also when the run it waits for has ended."""
        _, at = _next_tick(entry, history)
        again = at - AHEAD if at - self._clock.now() > AHEAD else at
        if not history.state.queued:
            return NextCheck(again)
        running = (await self._runs.earlier(history.state.requested)).in_progress
        return NextCheck(again, awaits=running[-1]) if running else NextCheck(self._clock.now())

    async def _rewind(self, entry: ActiveSchedule, history: History, now: datetime) -> None:
        """Discard the decisions about future ticks, which were made when the clock was ahead."""
        logger.warning(
            "ticks were decided while the clock was ahead; deciding them again",
            schedule=entry.id,
            newest=str(history.state.newest),
        )
        await history.append(ticks.rewind(history.state, now))

    async def _ask(self, case: Case, tick: datetime, asked: RunRequest) -> None:
        try:
            if await self._runs.ask(asked, case.history.origin):
                count_run(tick, self._clock.now())
            self._runs.remember(case.entry.run_id(tick))
        except TooLarge as why:
            await self._amend(case.history, not_fired(case.entry, tick, Decision.SKIPPED, str(why)))

    async def _record(self, history: History, decided: Sequence[Ticked]) -> None:
        if events := ticks.record(history.state, decided):
            await history.append(events)
            count_ticks(events)

    async def _amend(self, history: History, decided: Ticked) -> None:
        if events := ticks.amend(history.state, decided):
            await history.append(events)
            count_ticks(events)


def _next_tick(entry: ActiveSchedule, history: History) -> tuple[datetime, datetime]:
    """The next tick, and when it is due."""
    tick = entry.cron.next_after(_decided(entry, history))
    return tick, tick + entry.delay(tick)


def _decided(entry: ActiveSchedule, history: History) -> datetime:
    """The time up to which all ticks are decided."""
    newest = history.state.newest
    return max(entry.since, newest) if newest else entry.since
