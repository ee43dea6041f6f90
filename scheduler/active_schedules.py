"""The schedules that fire, folded from DAGs and goals: when each fires, and since when. No plan is kept."""

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
"""Aggregate and id of what a schedule belongs to."""


@dataclass(frozen=True)
class ActiveSchedule:
    """A schedule that fires: of an active goal, or of a DAG that has a plan and is not paused."""

    id: str
    """Of the schedule; a DAG's own has the DAG's id."""
    owner: Owner
    schedule: Schedule
    since: datetime
    """When its expression or zone was set, or it was started again. Earlier instants are not ticks of it."""

    @cached_property
    def cron(self) -> Cron:
        """The ticks.

        Raises:
            InvalidCron: the expression names none.
            InvalidTimezone: there is no such zone.
        """
        return Cron.parse(self.schedule.cron, self.schedule.timezone)

    @property
    def of_goal(self) -> bool:
        """Whether a goal is pursued; a DAG is executed otherwise."""
        return self.owner[0] == GOAL.name

    def delay(self, tick: datetime) -> timedelta:
        """How much later the tick comes: by its jitter, but before the next one."""
        if not self.schedule.jitter_s:
            return timedelta()
        room = self.cron.next_after(tick) - tick - timedelta(seconds=1)
        return min(jitter(self.id, tick, self.schedule.jitter_s), room)

    def run_id(self, tick: datetime) -> str:
        """The id of the run that the tick asks for."""
        return ticks.run_id(self.id, tick, RUN_PREFIX) if self.of_goal else ticks.run_id(self.id, tick)


class ActiveSchedules:
    """All schedules that fire, by id."""

    def __init__(self) -> None:
        self._entries: dict[str, ActiveSchedule] = {}
        self._owned: dict[Owner, frozenset[str]] = {}
        """Ids of the schedules that fire."""
        self._dags: dict[str, dag.State] = {}
        """Status, label and schedule of each that has a schedule or is paused."""
        self._goals: dict[str, goal.State] = {}
        """Status and schedules of each that has any, or is not active."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, schedule_id: str) -> ActiveSchedule | None:
        """The schedule, if it fires."""
        return self._entries.get(schedule_id)

    def fold(self, recorded: Iterable[Recorded], now: datetime) -> set[str]:
        """Apply further commits of DAGs and goals. Returns the ids of the schedules that changed.

        A commit whose time is further ahead of `now` than clocks differ counts as made now.
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
        # Only what decides whether it fires. The status is the commit's word: a forgotten DAG has none.
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
    """The schedule of that id, if it fires, by the history of the DAG or goal that it belongs to."""
    book = ActiveSchedules()
    book.fold(recorded, now)
    return book.get(schedule_id)


def is_current(entry: ActiveSchedule, recorded: Iterable[Recorded], now: datetime) -> bool:
    """Whether `entry` is what the history of the DAG or goal that it belongs to says.

    The history may give a later time of the last change, if that was ahead of the clock that made `entry`.
    """
    found = entry_of(recorded, entry.id, now)
    return found is not None and replace(found, since=min(found.since, entry.since)) == entry


def _entry(
    id_: str, owner: Owner, wanted: Schedule, before: ActiveSchedule | None, at: datetime
) -> ActiveSchedule:
    same = before and (before.schedule.cron, before.schedule.timezone) == (wanted.cron, wanted.timezone)
    return ActiveSchedule(id_, owner, wanted, since=before.since if before and same else at)
