"""The main loop: checks a schedule at its next tick, when it changes, and again after a failure."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta

import structlog

from contracts.core.commit import Recorded
from contracts.core.subjects import state_filter
from contracts.core.timezones import InvalidTimezone
from contracts.core.unread import UnreadHistory
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.key import KEY
from contracts.domain.keys import Keys, KeysState
from contracts.domain.run_requests import Defaults
from contracts.domain.schedule.expression import InvalidCron
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log, Unavailable
from scheduler.active_schedules import ActiveSchedule, ActiveSchedules, OwnerStates
from scheduler.clock import Clock
from scheduler.decide import Decider
from scheduler.metrics import ACTIVE, FAILURES
from scheduler.waiting import Waiting

logger = structlog.get_logger(__name__)

RECHECK = timedelta(seconds=30)
"""Maximum time between reads of the wall clock, which may be set."""
STEP = timedelta(seconds=1)
"""A smaller step back of the clock is an ordinary adjustment."""
LONGEST_PAUSE = timedelta(seconds=30)
"""Maximum pause before a failed schedule is checked again."""
MANY = 10
"""For so many schedules at once the followers catch up with the log, which saves a read for each of them."""
CATCH_UP_S = 1.0
"""Maximum seconds to wait for that. Without it, the log is asked about each schedule."""
AT_ONCE = 1024
"""Maximum number of schedules that are checked concurrently. The disk is synced once for many of their
commits."""


class Scheduler:
    """Decides the ticks of all schedules of all DAGs and goals."""

    def __init__(
        self, log: Log, source: str, clock: Clock, *, catch_up: timedelta, defaults: Defaults | None = None
    ) -> None:
        self._clock = clock
        self._schedules = ActiveSchedules()
        self._keys = Keys()
        self._decider = Decider(log, source, clock, self._keys, catch_up=catch_up, defaults=defaults)
        self._waiting = Waiting(log, self._check_soon)
        self._owner_followers = [
            Follower(log, state_filter(name), fold=self._fold) for name in (DAG.name, GOAL.name)
        ]
        self.followers = [
            *self._owner_followers,
            Follower(log, state_filter(KEY.name), fold=self._keys.fold),
        ]
        self._agenda: dict[str, datetime] = {}
        """When to check each schedule next. A schedule that is being checked is not in it."""
        self._next = clock.now()
        """When the loop reads the agenda again."""
        self._failures: dict[str, int] = {}
        """Number of consecutive failures, by schedule."""
        self._last_error = ""
        self._caught_up = False
        self._changed = asyncio.Event()
        self._slots = asyncio.Semaphore(AT_ONCE)

    @property
    def folded(self) -> tuple[OwnerStates, KeysState]:
        """What the followers have folded, to save it."""
        return self._schedules.state, self._keys.state

    def restore(self, owners: OwnerStates, keys: KeysState) -> None:
        """Replace what the followers have folded by what was saved."""
        now = self._clock.now()
        self._schedules.restore(owners, now)
        self._keys.restore(keys)
        self._agenda = dict.fromkeys(self._schedules, now)
        ACTIVE.set(len(self._schedules))

    async def follow(self) -> None:
        """A worker: follows the log and updates the active schedules, until cancelled."""
        await asyncio.gather(*(follower.run() for follower in self.followers))

    async def run(self) -> None:
        """A worker: decides ticks until cancelled."""
        await self._catch_up()
        async with aclosing(self._waiting), asyncio.TaskGroup() as checks:
            before = self._clock.now()
            while True:
                self._changed.clear()
                now = self._clock.now()
                if before - now > STEP:
                    self._check_all(now)
                before = now
                if due := [id_ for id_, at in self._agenda.items() if at <= now]:
                    for schedule_id in due:
                        del self._agenda[schedule_id]
                    checks.create_task(self._check_each(due))
                self._next = min([now + RECHECK, *self._agenda.values()])
                await self._clock.wait(self._next, self._changed)

    async def problem(self) -> str | None:
        """Why ticks cannot be decided; None if they can."""
        if not self._caught_up:
            return "the schedules are still being read from the log; wait"
        if self._failures:
            return f"{len(self._failures)} schedules cannot be decided; the last error: {self._last_error}"
        return None

    async def _catch_up(self) -> None:
        while not self._caught_up:
            try:
                for follower in self.followers:
                    await follower.catch_up()
                self._caught_up = True
            except Unavailable as error:
                logger.warning("the log does not answer; retrying", error=str(error))
                await self._clock.wait(self._clock.now() + _pause(1), asyncio.Event())

    def _fold(self, batch: Sequence[Recorded]) -> None:
        now = self._clock.now()
        for schedule_id in self._schedules.fold(batch, now):
            self._agenda[schedule_id] = now
        ACTIVE.set(len(self._schedules))
        self._changed.set()

    def _check_all(self, now: datetime) -> None:
        """Check all schedules now: the clock was set back, so the times in the agenda are wrong."""
        logger.warning("the clock was set back; checking all schedules again")
        self._agenda = dict.fromkeys(self._agenda, now)

    def _check_soon(self, schedule_id: str) -> None:
        self._agenda[schedule_id] = self._clock.now()
        self._changed.set()

    async def _check_each(self, schedule_ids: Sequence[str]) -> None:
        caught_up = len(schedule_ids) >= MANY and await self._have_caught_up()
        await asyncio.gather(*(self._check(id_, caught_up=caught_up) for id_ in schedule_ids))

    async def _have_caught_up(self) -> bool:
        """Wait until the commits of DAGs and goals that are in the log now are folded. False: too long."""
        try:
            async with asyncio.timeout(CATCH_UP_S):
                for follower in self._owner_followers:
                    await follower.catch_up()
        except (TimeoutError, Unavailable):
            return False
        return True

    async def _check(self, schedule_id: str, *, caught_up: bool) -> None:
        async with self._slots:
            entry = self._schedules.get(schedule_id)
            again = await self._decide(entry, caught_up=caught_up) if entry else None
        if again is None:
            self._failures.pop(schedule_id, None)
        else:
            self._agenda[schedule_id] = min(again, self._agenda.get(schedule_id, again))
            if again < self._next:  # otherwise the loop wakes in time anyway, and each wake scans the agenda
                self._changed.set()

    async def _decide(self, entry: ActiveSchedule, *, caught_up: bool) -> datetime | None:
        """Decide the ticks of `entry`. Returns when to check again; None: only when the schedule changes."""
        try:
            check = await self._decider.check(
                entry, self._schedules.version(entry.owner) if caught_up else None
            )
        except (InvalidCron, InvalidTimezone) as error:
            logger.warning("this schedule never fires", schedule=entry.id, error=str(error))
            return None
        except Exception as error:
            expected = isinstance(error, Unavailable | UnreadHistory)
            logger.warning(
                "cannot decide ticks; retrying", schedule=entry.id, error=str(error), exc_info=not expected
            )
            return self._failed(entry.id, error)
        self._failures.pop(entry.id, None)
        if check.awaits:
            self._waiting.wait(entry.id, check.awaits)
        return check.again

    def _failed(self, schedule_id: str, error: Exception) -> datetime:
        FAILURES.inc()
        self._failures[schedule_id] = self._failures.get(schedule_id, 0) + 1
        self._last_error = str(error) or type(error).__name__
        return self._clock.now() + _pause(self._failures[schedule_id])


def _pause(failures: int) -> timedelta:
    return min(timedelta(seconds=2.0 ** min(failures - 1, 10)), LONGEST_PAUSE)
