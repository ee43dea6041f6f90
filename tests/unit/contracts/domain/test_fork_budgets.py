"""Forks: who pays for them, what they may spend, and which files they trust."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.budget import NOTHING_SPENT, Budget
from contracts.domain.run import RUN, Changes, RunPolicy, StepChange
from tests.unit.contracts.domain.fork_histories import (
    BEGUN,
    NOW,
    ORIGIN,
    PLAN,
    RESULT,
    STARTED,
    done,
    forked,
    suspended,
)


def test_who_forks_a_run_of_a_schedule_pays_for_the_fork() -> None:
    asked = PLAN.model_copy(update={"paid_by": "key:ci"})
    first, _ = run.fork(RUN.fold([asked, STARTED, *done("001")]), Changes(start=("002",)), ORIGIN, NOW)
    assert isinstance(first, run.Requested)
    assert first.paid_by is None
    wanted = run.GoalRequested(goal_id="g", objective="find it", step_budget=5, paid_by="key:ci")
    first, _ = run.fork(RUN.fold([wanted]), Changes(instruction="find more"), ORIGIN, NOW)
    assert isinstance(first, run.GoalRequested)
    assert first.paid_by is None


def with_budget(**limits: Any) -> list[Event]:
    """A suspended run that has spent 1.5 dollars, and whose budget was set to `limits`."""
    return [*suspended(), run.BudgetSet(budget=Budget(**limits))]


def test_a_fork_begins_with_the_whole_budget_that_its_original_has_now() -> None:
    first, _, fork = forked(with_budget(usd=2, tokens=9), start=("004",))
    assert first.job.budget == fork.budget == Budget(usd=2, tokens=9)
    assert fork.spent == NOTHING_SPENT


def test_the_budget_of_a_fork_can_be_given_limit_by_limit() -> None:
    changes = Budget(usd="0.5", tokens=None)
    _, _, fork = forked(with_budget(usd=2, tokens=9, steps=7), start=("004",), budget=changes)
    assert fork.budget == Budget(usd="0.5", steps=7)
    _, _, fork = forked(suspended(), start=("004",), budget=changes)
    assert fork.budget is not None
    assert fork.budget.usd == "0.5"


def test_the_budget_of_a_fork_of_turns_is_that_of_its_original_or_given() -> None:
    wanted = run.GoalRequested(goal_id="g", objective="find it", step_budget=5, budget=Budget(usd=2))
    history = [wanted, run.BudgetSet(budget=Budget(usd=1))]
    first, _ = run.fork(RUN.fold(history), Changes(instruction="find more"), ORIGIN, NOW)
    assert isinstance(first, run.GoalRequested)
    assert first.budget == Budget(usd=1)
    changed = Changes(instruction="find more", budget=Budget(usd="0.1"))
    first, _ = run.fork(RUN.fold(history), changed, ORIGIN, NOW)
    assert isinstance(first, run.GoalRequested)
    assert first.budget == Budget(usd="0.1")


def test_what_the_original_has_spent_counts_for_the_fork_that_replaces_it() -> None:
    original = RUN.fold(with_budget(usd=2))
    for _ in range(3):  # a chain of forks does not multiply the budget
        original = RUN.fold(run.fork(original, Changes(start=("004",)), REPLACING, NOW))
    assert original.spent.pico_usd == RUN.fold(suspended()).spent.pico_usd == 15 * 10**11
    assert original.budget == Budget(usd=2)


REPLACING = ORIGIN.model_copy(update={"replaces": True})


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_the_time_that_the_original_was_running_counts_for_the_fork_that_replaces_it() -> None:
    state = RUN.fold([PLAN, STARTED, *done("001")])
    for seconds in (10, 10, 10):  # a chain of forks does not multiply the budget
        fork = run.fork(state, Changes(start=("002",)), REPLACING, later(seconds))
        state = RUN.fold([*fork, STARTED])
    assert run.used(state, "seconds", later(5)) == 35
    assert RUN.fold(run.fork(state, Changes(start=("002",)), ORIGIN, later(5))).worked_ms == 0


def test_a_fork_that_is_made_after_the_crash_of_its_gateway_counts_the_same_time() -> None:
    """The original is cancelled already, and the request is repeated."""
    state = RUN.fold([PLAN, STARTED, *done("001")])
    replaced = RUN.fold(run.replace(state, "run_1", later(10)), state)
    fork = RUN.fold(run.fork(replaced, Changes(start=("002",)), REPLACING, later(999)))
    assert fork.worked_ms == 10_000


def test_a_fork_that_replaces_a_run_which_has_used_its_seconds_does_not_run() -> None:
    limited = [*with_budget(seconds=5)[:-2], run.BudgetSet(budget=Budget(seconds=5))]
    fork = RUN.fold(run.fork(RUN.fold(limited), Changes(start=("004",)), REPLACING, later(6)))
    events = run.start(fork, "e", later(7), RunPolicy(), llm=True)
    assert [one.limit for one in events if isinstance(one, run.BudgetReached)] == ["seconds"]
    assert not [one for one in events if isinstance(one, run.StepsStarted)]


def test_the_steps_of_the_original_count_for_the_fork_that_replaces_it() -> None:
    state = RUN.fold([*suspended(), run.BudgetSet(budget=Budget(steps=5))])
    assert run.used(state, "steps", NOW) == 4
    fork = RUN.fold(run.fork(state, Changes(start=("003",)), REPLACING, NOW))
    assert run.used(fork, "steps", NOW) == 3, "step 004 failed: the fork runs it again, as a retry"
    again = [STARTED, *done("003", "004"), run.Suspended(reason="?")]
    state = RUN.fold(again, fork)
    assert run.used(state, "steps", NOW) == 5
    fork = RUN.fold(run.fork(state, Changes(start=("003",)), REPLACING, NOW))
    events = run.start(fork, "e", NOW, RunPolicy(), llm=True)
    assert [one.limit for one in events if isinstance(one, run.BudgetReached)] == ["steps"]
    assert RUN.fold(run.fork(state, Changes(start=("003",)), ORIGIN, NOW)).counted_steps == 0


def test_a_step_that_broke_and_gets_its_result_by_hand_counts_for_the_fork() -> None:
    given = {"004": StepChange(result=RESULT)}
    fork = RUN.fold(run.fork(RUN.fold(suspended()), Changes(steps=given), REPLACING, NOW))
    assert run.used(fork, "steps", NOW) == 4


def test_the_turns_and_calls_of_the_original_count_for_the_fork_that_replaces_it() -> None:
    wanted = run.GoalRequested(goal_id="g", objective="find it", step_budget=9)
    call = run.Call(id="c", name="read", arguments={})
    taken = run.TurnTaken(turn=1, thought="", calls=(call,), finish_reason="tool_calls")
    begun = [wanted, BEGUN, run.StepsStarted(steps=("1",)), taken]
    called = [run.StepsStarted(steps=("1.0",)), run.CallAnswered(turn=1, position=0, result="x")]
    in_progress = RUN.fold([*begun, *called, run.StepsStarted(steps=("2",))])
    fork = RUN.fold(run.fork(in_progress, Changes(instruction="find more"), REPLACING, NOW))
    assert run.used(fork, "steps", NOW) == 2, "the fork takes the second turn again"


def writing(path: str, *, untrusted: bool = False) -> list[Event]:
    """Step 001 writes a file."""
    begun = run.StepsStarted(
        steps=("001",), effects={"001": Effect.IDEMPOTENT}, untrusted=("001",) if untrusted else ()
    )
    output = run.Output(kind="file", content=path)
    return [PLAN, STARTED, begun, run.StepCompleted(step="001", result=path, output=output)]


def test_a_fork_trusts_the_files_that_its_original_wrote_from_trusted_values() -> None:
    stopped = run.Suspended(reason="broke")
    _, _, fork = forked([*writing("notes/a.md"), stopped], start=("002",))
    assert fork.trusted_files == {"notes/a.md"}
    _, _, fork = forked([*writing("notes/a.md", untrusted=True), stopped], start=("002",))
    assert fork.trusted_files == frozenset()


def test_a_fork_trusts_no_file_that_its_original_may_still_replace() -> None:
    _, _, fork = forked(writing("notes/a.md"), start=("002",))
    assert fork.trusted_files == frozenset()
    change = Changes(start=("003",))
    assert RUN.fold(run.fork(RUN.fold(writing("a")), change, REPLACING, NOW)).trusted_files == {"a"}
    unsafe = run.StepsStarted(steps=("002",), effects={"002": Effect.IDEMPOTENT}, untrusted=("002",))
    in_progress = RUN.fold([*writing("a"), unsafe])
    assert RUN.fold(run.fork(in_progress, change, REPLACING, NOW)).trusted_files == frozenset()
