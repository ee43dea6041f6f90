"""The schedules that fire, folded from the DAGs: when each fires, and since when. No plan is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from contracts.commit import Commit, Recorded
from contracts.cron import Cron
from contracts.dag import DAG, State, Status


@dataclass(frozen=True)
class Entry:
    """A schedule that fires: active, and not paused, of a DAG that has a plan."""

    id: str
    """Of the schedule; a DAG's own has the DAG's id."""
    expression: str
    timezone: str
    since: datetime
    """When it came to be as it is: only what is later is a tick of it."""

    @cached_property
    def cron(self) -> Cron:
        """The ticks.

        Raises:
            InvalidCron: the expression names none.
            InvalidTimezone: there is no such zone.
        """
        return Cron.parse(self.expression, self.timezone)


class Book:
    """Every schedule that fires, by its id."""

    def __init__(self) -> None:
        self._entries: dict[str, Entry] = {}
        self._dags: dict[str, State] = {}
        """Status, label and schedule of each that has a schedule or is paused."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, schedule_id: str) -> Entry | None:
        """The schedule, if it fires."""
        return self._entries.get(schedule_id)

    def fold(self, recorded: Iterable[Recorded]) -> set[str]:
        """Take in further commits of DAGs; the ids of the schedules that are not what they were."""
        return {one.commit.aggregate_id for one in recorded if self._apply(one.commit)}

    def _apply(self, commit: Commit) -> bool:
        id_ = commit.aggregate_id
        state = _without_plan(DAG.fold(commit.events, self._dags.get(id_)), commit.state)
        if state.schedule or state.paused:
            self._dags[id_] = state
        else:
            self._dags.pop(id_, None)
        before = self._entries.pop(id_, None)
        entry = _entry(id_, state, before, commit.time)
        if entry:
            self._entries[id_] = entry
        return entry != before


def entry_of(recorded: Iterable[Recorded]) -> Entry | None:
    """The schedule of the DAG whose history this is, if it fires."""
    history = tuple(recorded)
    book = Book()
    book.fold(history)
    return book.get(history[0].commit.aggregate_id) if history else None


def _without_plan(state: State, status: str) -> State:
    """What decides whether and when it fires. The status is the commit's word: a forgotten DAG has none."""
    return State(Status(status), label=state.label, schedule=state.schedule)


def _entry(id_: str, state: State, before: Entry | None, now: datetime) -> Entry | None:
    schedule = state.schedule
    if schedule is None or not schedule.active or state.paused or state.status is not Status.PLANNED:
        return None
    if before and (before.expression, before.timezone) == (schedule.cron, schedule.timezone):
        return before
    return Entry(id_, schedule.cron, schedule.timezone, since=now)
