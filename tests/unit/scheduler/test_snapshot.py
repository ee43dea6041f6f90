"""A scheduler with a snapshot has the same schedules and keys as one that read the whole log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import dag, goal, key
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.key import KEY
from contracts.domain.keys import Entry, Keys, KeysState
from contracts.domain.plan import Intent, Job
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.shared_budget import PeriodBudget
from scheduler.active_schedules import ActiveSchedules, OwnerState
from scheduler.snapshot import FORM, State

START = datetime(2026, 1, 1, tzinfo=UTC)
JOB = Job(original_request="do it", intent=Intent(primary="work", sub_intents=()), entities=(), sub_tasks=())
SCHEDULES = [
    Schedule(cron="0 9 * * *", timezone="Europe/Paris"),
    Schedule(cron="0 9 * * *", timezone="Europe/Paris", overlap=Overlap.ALLOW, jitter_s=9, catch_up_s=0),
    Schedule(cron="* * * * *"),
    Schedule(cron="* * * * *", active=False),
    Schedule(cron=""),
]
EXAMPLE = State(
    owners={
        "dag": {"d": OwnerState("planned", {"d": SCHEDULES[1]}, set_at={"d": START})},
        "goal": {"g": OwnerState("paused", {"s": SCHEDULES[3]}, paused=True)},
    },
    keys=KeysState(
        entries=(
            Entry(
                "key_a",
                key.State(
                    key.Status.ACTIVE,
                    "a",
                    (Scope.ADMIN,),
                    "0",
                    key.Previous("1", START),
                    START,
                    PeriodBudget(),
                ),
                START,
                START,
            ),
        )
    ),
    agenda=((START, "r"),),
)
TEXT = (
    '1:{"owners":{"dag":{"d":{"status":"planned","schedules":{"d":{"cron":"0 9 * * *",'
    '"timezone":"Europe/Paris","active":true,"paused":false,"overlap":"allow","catch_up_s":0,'
    '"jitter_s":9}},"paused":false,"set_at":{"d":"2026-01-01T00:00:00Z"}}},"goal":{"g":{'
    '"status":"paused","schedules":{"s":{"cron":"* * * * *","timezone":"UTC","active":false,'
    '"paused":false,"overlap":"skip","catch_up_s":null,"jitter_s":0}},"paused":true,"set_at":{}}}},'
    '"keys":{"entries":[{"id":"key_a","state":{"status":"active","name":"a","scopes":["admin"],'
    '"secret_sha256":"0","previous":{"secret_sha256":"1","until":"2026-01-01T00:00:00Z"},'
    '"expires_at":"2026-01-01T00:00:00Z","budget":{}},"created_at":"2026-01-01T00:00:00Z",'
    '"changed_at":"2026-01-01T00:00:00Z"}],"unread":[]},"agenda":[["2026-01-01T00:00:00Z","r"]]}'
)
"""EXAMPLE in a file."""

schedules = st.sampled_from(SCHEDULES)
dag_events: st.SearchStrategy[Event] = st.one_of(
    st.just(dag.Imported(job=JOB)),
    st.just(dag.Planned(job=JOB)),
    st.builds(dag.Requested, goal_text=st.just("x"), agent_name=st.just("p"), schedule=schedules | st.none()),
    st.builds(dag.ScheduleSet, schedule=schedules | st.none()),
    st.builds(dag.Updated, label=st.sampled_from(["paused", "active", None])),
    st.just(dag.Deleted()),
)
schedule_ids = st.sampled_from(["s1", "s2"])
goal_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(goal.Created, objective=st.just("x"), params=st.just(goal.Params())),
    st.builds(goal.ScheduleAdded, schedule_id=schedule_ids, schedule=schedules),
    st.builds(goal.ScheduleChanged, schedule_id=schedule_ids, schedule=schedules),
    st.builds(goal.ScheduleRemoved, schedule_id=schedule_ids),
    st.sampled_from([goal.Paused(), goal.Resumed(), goal.Archived(), goal.Deleted()]),
)
times = st.sampled_from([START, START + timedelta(days=1)])
key_events: st.SearchStrategy[Event] = st.one_of(
    st.builds(
        key.Created,
        name=st.just("k"),
        scopes=st.just((Scope.ADMIN,)),
        secret_sha256=st.just("0"),
        expires_at=times,
    ),
    st.builds(key.Rotated, secret_sha256=st.just("1"), previous_until=times | st.none(), expires_at=times),
    st.just(key.Revoked()),
    st.just(key.BudgetSet(budget=PeriodBudget())),
)
decisions = st.one_of(
    st.tuples(st.just(DAG), st.sampled_from(["d", "e"]), dag_events),
    st.tuples(st.just(GOAL), st.just("g"), goal_events),
    st.tuples(st.just(KEY), st.just("key_k"), key_events),
)
minutes = st.integers(0, 200)
"""Clocks differ by so much that some commits seem to be from the future."""


def recorded(decided: Sequence[tuple[Aggregate[Any], str, Event]], at: Sequence[int]) -> list[Recorded]:
    """One commit for each decision, by writers whose clocks show START and so many minutes."""
    states: dict[str, Any] = {}
    commits = []
    for n, ((aggregate, id_, event), minute) in enumerate(zip(decided, at, strict=False)):
        states[id_] = aggregate.evolve(states.get(id_, aggregate.initial), event)
        commit = Commit(
            id=str(n),
            aggregate=aggregate.name,
            aggregate_id=id_,
            state=aggregate.status(states[id_]),
            version=n + 1,
            time=START + timedelta(minutes=minute),
            source="/test/1",
            events=(event,),
            correlation_id="c",
        )
        commits.append(Recorded(n + 1, commit))
    return commits


class Folded:
    """Schedules and keys, as a scheduler folds them."""

    def __init__(self) -> None:
        self.schedules = ActiveSchedules()
        self.keys = Keys()

    def fold(self, commits: Sequence[Recorded], now: datetime) -> None:
        for one in commits:
            if one.commit.aggregate == KEY.name:
                self.keys.fold([one])
            else:
                self.schedules.fold([one], now)

    def seen(self) -> Any:
        entries = {id_: self.schedules.get(id_) for id_ in self.schedules}
        return entries, self.schedules.state, self.keys.all(), self.keys.budget("k")


@given(
    st.lists(decisions, max_size=20), st.lists(minutes, min_size=20, max_size=20), st.data(), minutes, minutes
)
def test_a_snapshot_and_the_rest_of_the_log_are_the_whole_log(
    decided: list[tuple[Aggregate[Any], str, Event]],
    at: list[int],
    data: st.DataObject,
    then: int,
    later: int,
) -> None:
    """Wherever it was taken, and whatever the clocks showed then and now."""
    commits = recorded(decided, at)
    place = data.draw(st.integers(0, len(commits)))
    now = START + timedelta(minutes=later)
    earlier, successor, reader = Folded(), Folded(), Folded()
    earlier.fold(commits[:place], START + timedelta(minutes=then))

    text = FORM.taken(State(earlier.schedules.state, earlier.keys.state, ((START, "r"),)))
    restored = FORM.restored(text)
    assert restored
    successor.schedules.restore(restored.owners, now)
    successor.keys.restore(restored.keys)

    successor.fold(commits[place:], now)
    reader.fold(commits, now)
    assert successor.seen() == reader.seen()
    assert restored.agenda == ((START, "r"),)


def test_a_state_of_another_shape_has_another_version() -> None:
    """If this fails, raise the version in FORM and replace TEXT, so that old files are not used."""
    assert FORM.taken(EXAMPLE) == TEXT
    assert FORM.restored(TEXT) == EXAMPLE
