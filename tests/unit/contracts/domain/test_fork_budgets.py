"""Forks: who pays for them, what they may spend, and which files they trust."""

from __future__ import annotations

from typing import Any

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.budget import NOTHING_SPENT, Budget
from contracts.domain.run import RUN, Changes
from tests.unit.contracts.domain.test_forks import ORIGIN, PLAN, STARTED, done, forked, suspended


def test_who_forks_a_run_of_a_schedule_pays_for_the_fork() -> None:
    asked = PLAN.model_copy(update={"paid_by": "key:ci"})
    first, _ = run.fork(RUN.fold([asked, STARTED, *done("001")]), Changes(start=("002",)), ORIGIN)
    assert isinstance(first, run.Requested)
    assert first.paid_by is None
    wanted = run.GoalRequested(goal_id="g", objective="find it", step_budget=5, paid_by="key:ci")
    first, _ = run.fork(RUN.fold([wanted]), Changes(instruction="find more"), ORIGIN)
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
    first, _ = run.fork(RUN.fold(history), Changes(instruction="find more"), ORIGIN)
    assert isinstance(first, run.GoalRequested)
    assert first.budget == Budget(usd=1)
    changed = Changes(instruction="find more", budget=Budget(usd="0.1"))
    first, _ = run.fork(RUN.fold(history), changed, ORIGIN)
    assert isinstance(first, run.GoalRequested)
    assert first.budget == Budget(usd="0.1")


def test_what_the_original_has_spent_counts_for_the_fork_that_replaces_it() -> None:
    original = RUN.fold(with_budget(usd=2))
    replacing = ORIGIN.model_copy(update={"replaces": True})
    for _ in range(3):  # a chain of forks does not multiply the budget
        original = RUN.fold(run.fork(original, Changes(start=("004",)), replacing))
    assert original.spent.pico_usd == RUN.fold(suspended()).spent.pico_usd == 15 * 10**11
    assert original.budget == Budget(usd=2)


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
    replacing = ORIGIN.model_copy(update={"replaces": True})
    change = Changes(start=("003",))
    assert RUN.fold(run.fork(RUN.fold(writing("a")), change, replacing)).trusted_files == {"a"}
    unsafe = run.StepsStarted(steps=("002",), effects={"002": Effect.IDEMPOTENT}, untrusted=("002",))
    in_progress = RUN.fold([*writing("a"), unsafe])
    assert RUN.fold(run.fork(in_progress, change, replacing)).trusted_files == frozenset()
