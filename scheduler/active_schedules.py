"""The active schedules, folded from the events of DAGs and goals. Plans are not kept in memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import NamedTuple

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


class Version(NamedTuple):
    """What was folded of a DAG or goal. If it is the same later, there was no commit in between."""

    newest: int
    """Stream sequence of the newest commit; 0: none since the process started."""
    doubts: int
    """Number of messages, which may be of any DAG or goal, that were not commits."""


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


@dataclass(frozen=True, slots=True)
class OwnerState:
    """What determines which schedules of a DAG or goal fire. Plans are not kept in memory."""

    status: str = "absent"
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    """All schedules by id, including those that do not fire."""
    paused: bool = False
    """Whether a DAG is paused. Schedules have their own flags for that in goals."""
    set_at: Mapping[str, datetime] = field(default_factory=dict)
    """For each schedule that fires: when it was set or activated, by the clock of the commit's writer."""

    @property
    def firing(self) -> Mapping[str, Schedule]:
        """The schedules that fire."""
        return {id_: self.schedules[id_] for id_ in self.set_at}


OwnerStates = Mapping[str, Mapping[str, OwnerState]]
"""Owners by name of their aggregate and id."""


class ActiveSchedules:
    """All active schedules by id."""

    def __init__(self) -> None:
        self._entries: dict[str, ActiveSchedule] = {}
        self._owners: dict[str, dict[str, OwnerState]] = {DAG.name: {}, GOAL.name: {}}
        """Owners that have schedules or are paused."""
        self._newest: dict[Owner, int] = {}
        """Sequences of the newest commits that were folded of these owners."""
        self._doubts = 0
        """Number of messages that were not commits. Each may belong to any owner."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def get(self, schedule_id: str) -> ActiveSchedule | None:
        """The schedule if it is active; None otherwise."""
        return self._entries.get(schedule_id)

    def version(self, owner: Owner) -> Version:
        """What was folded of `owner`."""
        return Version(self._newest.get(owner, 0), self._doubts)

    @property
    def state(self) -> OwnerStates:
        """The content, to save it."""
        return self._owners

    def restore(self, state: OwnerStates, now: datetime) -> None:
        """Replace the content by one that was saved, as if all its commits were folded now."""
        self._owners = {name: dict(state.get(name, {})) for name in self._owners}
        self._entries = {
            id_: _entry(id_, (name, owner_id), schedule, None, _clamped(owner.set_at[id_], now))
            for name, owners in self._owners.items()
            for owner_id, owner in owners.items()
            for id_, schedule in owner.firing.items()
        }

    def fold(self, recorded: Iterable[Recorded], now: datetime) -> set[str]:
        """Apply commits of DAGs and goals. Returns the ids of the schedules that changed.

        If the time of a commit is so far after `now` that its clock was wrong, `now` is used instead.
        """
        changed: set[str] = set()
        for one in recorded:
            if one.commit.events:
                changed |= self._apply(one.commit, one.seq, _clamped(one.commit.time, now))
            else:
                self._doubts += 1
        return changed

    def _apply(self, commit: Commit, seq: int, at: datetime) -> set[str]:
        name, owner_id = commit.aggregate, commit.aggregate_id
        owners = self._owners[name]
        owner = owners.pop(owner_id, OwnerState())
        before = {id_: self._entries.pop(id_) for id_ in owner.set_at}
        owner = advance(owner, commit)
        self._newest.pop((name, owner_id), None)
        if (owner.schedules or owner.paused) and owner.status != goal.Status.DELETED:
            owners[owner_id], self._newest[name, owner_id] = owner, seq
        firing = owner.firing
        after = {id_: _entry(id_, (name, owner_id), one, before.get(id_), at) for id_, one in firing.items()}
        self._entries.update(after)
        return {id_ for id_ in before.keys() | after.keys() if before.get(id_) != after.get(id_)}


def advance(owner: OwnerState, commit: Commit) -> OwnerState:
    """The state of a DAG or goal after its next commit. Pure, and independent of the current time."""
    changed = _goal(owner, commit) if commit.aggregate == GOAL.name else _dag(owner, commit)
    active = changed.status in (dag.Status.PLANNED, goal.Status.ACTIVE) and not changed.paused
    set_at = {
        id_: owner.set_at[id_]
        if id_ in owner.set_at and _same_ticks(owner.schedules[id_], schedule)
        else commit.time
        for id_, schedule in changed.schedules.items()
        if active and schedule.fires
    }
    return replace(changed, set_at=set_at)


def _dag(owner: OwnerState, commit: Commit) -> OwnerState:
    id_ = commit.aggregate_id
    # The status comes from the commit: a DAG that is not kept has no earlier state.
    label = "paused" if owner.paused else ""
    folded = DAG.fold(readable(commit.events), dag.State(label=label, schedule=owner.schedules.get(id_)))
    schedules = {id_: folded.schedule} if folded.schedule else {}
    return OwnerState(commit.state, schedules, paused=folded.paused)


def _goal(owner: OwnerState, commit: Commit) -> OwnerState:
    folded = GOAL.fold(readable(commit.events), goal.State(schedules=owner.schedules))
    return OwnerState(commit.state, folded.schedules)


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
    since = before.since if before and _same_ticks(before.schedule, wanted) else at
    return ActiveSchedule(id_, owner, wanted, since=since)


def _same_ticks(one: Schedule, other: Schedule) -> bool:
    return (one.cron, one.timezone) == (other.cron, other.timezone)


def _clamped(time: datetime, now: datetime) -> datetime:
    return now if ticks.is_ahead(time, now) else time
