"""The active schedules, folded from the events of DAGs and goals. Plans are not kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cached_property

from contracts.core.commit import Commit, Recorded
from contracts.core.unread import readable
from contracts.domain import dag, goal
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.run_requests import RUN_PREFIX
from contracts.domain.schedule import ticks
from contracts.domain.schedule.cron import Cron
from contracts.domain.schedule.schedule import Schedule, jitter

Owner = tuple[str, str]
"""Name and id of the aggregate, DAG or goal, that a schedule belongs to."""


@dataclass(frozen=True)
class ActiveSchedule:
    """A schedule of an active goal, or of a DAG that has a plan and is not paused."""

    id: str
    """Id of the schedule. The schedule of a DAG has the id of the DAG."""
    owner: Owner
    schedule: Schedule
    since: datetime
    """When its expression or time zone was set, or it was activated again. Earlier times are not ticks."""

    @cached_property
    def cron(self) -> Cron:
        """The cron expression, which computes the ticks.

        Raises:
            InvalidCron: the expression is invalid or has no ticks.
            InvalidTimezone: the time zone does not exist.
        """
        return Cron.parse(self.schedule.cron, self.schedule.timezone)

    @property
    def of_goal(self) -> bool:
        """Whether the schedule belongs to a goal; otherwise it belongs to a DAG."""
        return self.owner[0] == GOAL.name

    def delay(self, tick: datetime) -> timedelta:
        """The delay of a tick by its jitter. A delayed tick is still before the next one."""
        if not self.schedule.jitter_s:
            return timedelta()
        room = self.cron.next_after(tick) - tick - timedelta(seconds=1)
        return min(jitter(self.id, tick, self.schedule.jitter_s), room)

    def run_id(self, tick: datetime) -> str:
        """The id of the run that the tick requests."""
        return ticks.run_id(self.id, tick, RUN_PREFIX) if self.of_goal else ticks.run_id(self.id, tick)


class ActiveSchedules:
    """All active schedules by id."""

    def __init__(self) -> None:
        self._entries: dict[str, ActiveSchedule] = {}
        self._owned: dict[Owner, frozenset[str]] = {}
        """Ids of the active schedules of each owner."""
        self._dags: dict[str, dag.State] = {}
        """Status, label and schedule of each DAG that has a schedule or is paused."""
        self._goals: dict[str, goal.State] = {}
        """Status and schedules of each goal that has schedules and is not deleted."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, schedule_id: str) -> ActiveSchedule | None:
        """The schedule if it is active; None otherwise."""
        return self._entries.get(schedule_id)

    def fold(self, recorded: Iterable[Recorded], now: datetime) -> set[str]:
        """Apply commits of DAGs and goals. Returns the ids of the schedules that changed.

        If the time of a commit is so far after `now` that its clock was wrong, `now` is used instead.
        """
        changed: set[str] = set()
        for one in recorded:
            if one.commit.events:
                at = now if ticks.is_ahead(one.commit.time, now) else one.commit.time
                changed |= self._apply(one.commit, at)
        return changed

    def _apply(self, commit: Commit, at: datetime) -> set[str]:
        owner = (commit.aggregate, commit.aggregate_id)
        firing = self._goal(commit) if commit.aggregate == GOAL.name else self._dag(commit)
        before = {id_: self._entries.pop(id_) for id_ in self._owned.pop(owner, ())}
        after = {id_: _entry(id_, owner, one, before.get(id_), at) for id_, one in firing.items()}
        if after:
            self._owned[owner] = frozenset(after)
            self._entries.update(after)
        return {id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_)}

    def _dag(self, commit: Commit) -> Mapping[str, Schedule]:
        id_ = commit.aggregate_id
        folded = DAG.fold(readable(commit.events), self._dags.get(id_))
        # Keep only what determines whether it fires. The status comes from the commit: the state of a DAG
        # that is not kept lacks it.
        state = dag.State(dag.Status(commit.state), label=folded.label, schedule=folded.schedule)
        if state.schedule or state.paused:
            self._dags[id_] = state
        else:
            self._dags.pop(id_, None)
        fires = state.schedule and state.schedule.fires and not state.paused
        return {id_: state.schedule} if state.schedule and fires and state.status == "planned" else {}

    def _goal(self, commit: Commit) -> Mapping[str, Schedule]:
        id_ = commit.aggregate_id
        folded = GOAL.fold(readable(commit.events), self._goals.get(id_))
        state = replace(
            folded, status=goal.Status(commit.state), objective="", params=goal.Params(), webhook_url=None
        )
        if state.schedules and state.status is not goal.Status.DELETED:
            self._goals[id_] = state
        else:
            self._goals.pop(id_, None)
        return {id_: one for id_, one in state.schedules.items() if one.fires} if state.is_active else {}


def entry_of(recorded: Iterable[Recorded], schedule_id: str, now: datetime) -> ActiveSchedule | None:
    """The schedule `schedule_id` in the history of its DAG or goal; None if it is not active."""
    schedules = ActiveSchedules()
    schedules.fold(recorded, now)
    return schedules.get(schedule_id)


def is_current(entry: ActiveSchedule, recorded: Iterable[Recorded], now: datetime) -> bool:
    """Whether `entry` matches the history of its DAG or goal.

    `since` may be later in the history: the time of the last change was ahead of the clock that set `entry`.
    """
    found = entry_of(recorded, entry.id, now)
    return found is not None and replace(found, since=min(found.since, entry.since)) == entry


def _entry(
    id_: str, owner: Owner, wanted: Schedule, before: ActiveSchedule | None, at: datetime
) -> ActiveSchedule:
    same = before and (before.schedule.cron, before.schedule.timezone) == (wanted.cron, wanted.timezone)
    return ActiveSchedule(id_, owner, wanted, since=before.since if before and same else at)
