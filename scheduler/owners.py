"""The DAGs and goals that schedules belong to, as the log has them.

A tick needs the newest plan or goal. The log is asked each time, unless the followers of the scheduler have
just caught up with it and say that there is nothing new. What has not changed is not checked again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import cached_property

from contracts.core.commit import Recorded, all_events
from contracts.domain import dag, goal
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.payer import payer_of_schedule
from contracts.domain.plan import Job
from contracts.domain.run_requests import RunRequest
from contracts.runtime.log import Log
from scheduler.active_schedules import ActiveSchedule, Owner, Version, is_current
from scheduler.request import executable

KEPT = 2000
"""Maximum number of histories in memory. They contain plans."""


class OwnerHistory:
    """The history of one DAG or goal. A new commit makes a new object."""

    def __init__(self, commits: Sequence[Recorded]) -> None:
        self.commits = commits
        self._current: dict[str, ActiveSchedule] = {}
        """The schedules that match this history, by id."""
        self.prepared: dict[str, tuple[ActiveSchedule, datetime, RunRequest]] = {}
        """For each schedule id: the run that a tick of the schedule requests, computed ahead of it."""

    @property
    def seq(self) -> int:
        """Stream sequence of the last commit; 0 if there is none."""
        return self.commits[-1].seq if self.commits else 0

    def has(self, entry: ActiveSchedule, now: datetime) -> bool:
        """Whether `entry` is a schedule of this DAG or goal, unchanged."""
        if self._current.get(entry.id) is not entry and is_current(entry, self.commits, now):
            self._current[entry.id] = entry
        return self._current.get(entry.id) is entry

    @cached_property
    def goal(self) -> goal.State:
        """The goal."""
        return GOAL.fold(all_events(one.commit for one in self.commits))

    @cached_property
    def dag(self) -> dag.State:
        """The DAG."""
        return DAG.fold(all_events(one.commit for one in self.commits))

    @cached_property
    def payer(self) -> str | None:
        """The actor who pays for what the schedules start."""
        return payer_of_schedule([one.commit for one in self.commits])

    @cached_property
    def job(self) -> Job:
        """The plan of the DAG.

        Raises:
            InvalidPlan: the plan cannot be executed.
        """
        return executable(self.dag)


class Owners:
    """The histories of DAGs and goals by owner. Those that were used last are kept."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: dict[Owner, tuple[OwnerHistory, int]] = {}
        """Each history, and the doubts of the followers when it was read."""

    async def read(self, owner: Owner, seen: Version | None = None) -> OwnerHistory:
        """The history of `owner`, up to the newest commit.

        `seen` is what followers have folded that are not behind the log; None: they may be behind. If there
        was nothing new since the last read, the log is not asked.

        Raises:
            Unavailable: the log could not be reached.
        """
        known, doubts = self._kept.pop(owner, (OwnerHistory(()), -1))
        if seen is None or known.seq < seen.newest or doubts != seen.doubts:
            added = await self._log.read(*owner, after=known.seq)
            known = OwnerHistory([*known.commits, *added]) if added else known
            doubts = seen.doubts if seen else -1
        self._kept[owner] = known, doubts
        if len(self._kept) > KEPT:
            del self._kept[next(iter(self._kept))]
        return known
