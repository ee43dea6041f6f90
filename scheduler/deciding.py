"""One look at one schedule: every tick that is due is decided and recorded, and at most one run is asked for.

It is exactly once, however many schedulers look and wherever one of them dies, by the order of things: ticks
are recorded in order, under the lock of the schedule; a run is asked for only when every tick before its own
has been recorded; its id follows from its tick. So a run whose tick is not recorded yet can only be that of
the first tick due, and whoever looks next finds it there and records it as fired.

One thing can be told wrong: a scheduler that stalls for a whole tick just before it asks for a run may ask
for one that another has recorded as missed meanwhile. It is late then, but still the only run of its tick.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from contracts import dag, run, schedule
from contracts.commit import all_events
from contracts.runtime.log import Conflict, Log, TooLarge
from contracts.runtime.stream import Origin, Stream
from contracts.schedule import Decision, Ticked
from contracts.subjects import aggregate_filter
from scheduler.book import Entry, entry_of
from scheduler.clock import Clock
from scheduler.firing import Unfit, request_of
from scheduler.metrics import count_run, count_ticks
from scheduler.ticking import Due, due

BEHIND = timedelta(seconds=1)
"""When to look again if the book and the log differ: one of them has not got the newest commit yet."""

Ticks = Stream[schedule.State]


class Decider:
    """Decides about ticks on behalf of one scheduler."""

    def __init__(self, log: Log, source: str, clock: Clock, *, catch_up: timedelta) -> None:
        self._log = log
        self._source = source
        self._clock = clock
        self._catch_up = catch_up

    async def look(self, entry: Entry) -> datetime:
        """Decide every tick of `entry` that is due; when to look again.

        Raises:
            InvalidCron: it has no ticks.
            InvalidTimezone: it has no ticks.
            Unavailable: look again; what was done already will not be done twice.
        """
        now = self._clock.now()
        ticks = await self._ticks(entry.id)
        last = ticks.state.last
        decided = max(entry.since, last.tick) if last else entry.since
        ahead = due(entry.cron, after=decided, now=now, catch_up=self._catch_up)
        if ahead is None:
            return entry.cron.next_after(decided)
        commits = await self._log.read(dag.DAG.name, entry.id)
        if entry_of(commits) != entry:
            return now + BEHIND
        plan = dag.DAG.fold(all_events(one.commit for one in commits))
        try:
            complete = await self._decide(entry, ticks, ahead, plan)
        except Conflict:
            complete = False
        return entry.cron.next_after(ahead.latest) if complete else now

    async def _ticks(self, schedule_id: str) -> Ticks:
        """The schedule's history, of which the newest commit is enough."""
        ticks = Stream(self._log, schedule.SCHEDULE, schedule_id, Origin(self._source))
        newest = await self._log.last_seq(aggregate_filter(schedule.SCHEDULE.name, schedule_id))
        if newest:
            for recorded in await self._log.read(schedule.SCHEDULE.name, schedule_id, after=newest - 1):
                ticks.fold(recorded)
        return ticks

    async def _decide(self, entry: Entry, ticks: Ticks, ahead: Due, plan: dag.State) -> bool:
        """Whether all that was due has been decided.

        Raises:
            Conflict: somebody else is deciding too.
        """
        if await self._exists(schedule.run_id(entry.id, ahead.first)):
            await self._record(ticks, [_fired(entry, ahead.first)])
            return False
        missed = [_unfired(entry, one.tick, Decision.MISSED, one.reason) for one in ahead.missed]
        await self._record(ticks, missed)
        if ahead.fires:
            await self._record(ticks, [await self._fire(entry, ahead.fires, plan, ticks.origin)])
        return True

    async def _exists(self, run_id: str) -> bool:
        return await self._log.last_seq(aggregate_filter(run.RUN.name, run_id)) > 0

    async def _fire(self, entry: Entry, tick: datetime, plan: dag.State, origin: Origin) -> Ticked:
        """Ask for the run of `tick`; what came of it."""
        stream = Stream(self._log, run.RUN, schedule.run_id(entry.id, tick), origin)
        try:
            wanted = request_of(entry, tick, plan)
            with suppress(Conflict):  # it has been asked for
                await stream.append(run.request(stream.state, wanted))
                count_run(tick, self._clock.now())
        except (Unfit, TooLarge) as why:
            return _unfired(entry, tick, Decision.SKIPPED, str(why))
        return _fired(entry, tick)

    async def _record(self, ticks: Ticks, decided: Sequence[Ticked]) -> None:
        new = [ticked for ticked in decided if schedule.tick(ticks.state, ticked)]
        if new:
            await ticks.append(new)
            count_ticks(new)


def _fired(entry: Entry, tick: datetime) -> Ticked:
    run_id = schedule.run_id(entry.id, tick)
    return Ticked(tick=tick, decision=Decision.FIRED, dag_id=entry.id, run_id=run_id)


def _unfired(entry: Entry, tick: datetime, decision: Decision, reason: str) -> Ticked:
    return Ticked(tick=tick, decision=decision, reason=reason, dag_id=entry.id)
