"""What a run may spend: what counts, what it forbids, and how a run that it stopped goes on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.core.event import Event, Json, Usage
from contracts.core.spent import Estimate, Spent, Unbilled
from contracts.domain import run
from contracts.domain.budget import Budget, Limit, Spending
from contracts.domain.run import RUN, AgentUsed, Failure, RunPolicy, Status, Success
from contracts.domain.run.steps import SYNTHESIS
from tests import jobs

Given = Callable[..., Any]

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RunPolicy(backoff_s=1.0)
DOLLAR = 10**12
USED = Usage(prompt_tokens=60, completion_tokens=40)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def think(id_: str, *needs: str) -> dict[str, Any]:
    return jobs.task(id_, "inference", {"prompt": "think"}, needs=needs)


def requested(*tasks: dict[str, Any], planning: Spent | None = None, **budget: Json) -> run.Requested:
    job = jobs.job(*tasks, budget=budget or None)
    return run.Requested(dag_id="d", original_request="do it", job=job, planning=planning)


def started(*steps: str) -> list[Event]:
    begun = run.Started(executor="e", at=NOW, synthesis="merge")
    return [begun, run.StepsStarted(steps=steps)]


def thought(step: str, cost: str | None = "0.4", usage: Usage | None = USED) -> run.StepCompleted:
    return run.StepCompleted(step=step, result="x", cost_usd=cost, usage=usage)


def reached(step: str = "2", limit: Limit = "usd", **numbers: str) -> run.BudgetReached:
    usual = {"allowed": "1", "spent": "0.4", "needed": "0.7", "reason": "budget: too much"}
    return run.BudgetReached(step=step, attempt=1 if step else 0, limit=limit, **{**usual, **numbers})


def settled(state: run.State, *outcomes: Any, now: datetime = NOW) -> list[Event]:
    return run.settle(state, outcomes, now, POLICY).events


# ── a budget ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given_", "stored"),
    [(0, "0"), (0.5, "0.5"), (1e-7, "0.0000001"), ("0.10", "0.1"), (3, "3"), ("1E+2", "100")],
)
def test_dollars_are_kept_as_exact_decimal_text(given_: Json, stored: str) -> None:
    assert Budget(usd=given_).usd == stored


@pytest.mark.parametrize(
    "given_",
    [
        {"usd": -1},
        {"usd": "x"},
        {"usd": True},
        {"usd": float("nan")},
        {"usd": 1e20},
        {"usd": "1e999999999"},
        {"usd": "1e-999999999"},
        {"usd": "-0.000000000001"},
        {"usd": "Infinity"},
        {"tokens": -1},
        {"tokens": 1.5},
        {"seconds": -0.1},
        {"steps": -1},
        {"dollars": 1},
    ],
)
def test_a_limit_that_is_not_an_amount_is_refused(given_: dict[str, Json]) -> None:
    with pytest.raises(ValidationError):
        Budget.model_validate(given_)


# ── what counts ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_answer_counts_whether_it_was_of_use_or_not() -> None:
    planning = Spent(usage=USED, cost_usd="0.1")
    failed = run.StepFailed(step="2", attempt=1, error="?", usage=USED, cost_usd="0.01", retry_at=NOW)
    report = run.StepCompleted(step=SYNTHESIS, result="x", usage=USED, cost_usd="0.001")
    history = [requested(think("1"), think("2"), planning=planning), *started("1", "2")]
    state = RUN.fold([*history, thought("1"), failed, report])
    assert state.spent == Spending(511 * DOLLAR // 1000, 400)


def test_a_call_whose_bill_has_not_arrived_counts_at_the_most_that_it_may_have_cost() -> None:
    lost = Unbilled(tokens=1000, usd="0.3")
    failed = run.StepFailed(step="1", attempt=1, error="?", retry_at=NOW, unbilled=lost)
    answered = run.StepCompleted(step="2", result="x", usage=USED, cost_usd="0.01", unbilled=lost)
    planning = Spent(unbilled=lost)
    history = [requested(think("1"), think("2"), planning=planning), *started("1", "2")]
    state = RUN.fold([*history, failed, answered])
    assert state.spent == Spending(91 * DOLLAR // 100, 3000 + USED.total_tokens)


def test_turns_and_the_summary_of_an_agent_count() -> None:
    used = AgentUsed(id="a", name="a", version_name="1", prompt_template="p")
    begun = run.GoalStarted(executor="e", at=NOW, agent=used, temperature=0, max_tokens=9)
    wanted = run.GoalRequested(goal_id="g", objective="do it", step_budget=5)
    turn = run.TurnTaken(turn=1, thought="", finish_reason="stop", usage=USED, cost_usd="0.2")
    summary = run.Summarised(summary="x", usage=USED, cost_usd="0.1")
    state = RUN.fold([wanted, begun, run.StepsStarted(steps=("1",)), turn, summary])
    assert state.spent == Spending(3 * DOLLAR // 10, 200)


def test_a_call_that_a_crash_has_cut_off_counts_as_much_as_the_next_one_of_its_step() -> None:
    """The provider may have charged for it."""
    died = [run.TakenOver(executor="f"), run.StepsStarted(steps=("1",))]
    history = [requested(think("1"), think("2")), *started("1", "2"), *died, *died]
    assert RUN.fold(history).spent == Spending()
    state = RUN.fold([*history, thought("1"), thought("2")])
    assert state.spent.pico_usd == (3 + 1) * 4 * DOLLAR // 10
    assert not state.lost


def test_a_call_that_a_resume_has_given_up_counts_too() -> None:
    stopped = [run.Suspended(reason="x"), run.Resumed(), *started("1")]
    state = RUN.fold([requested(think("1")), *started("1"), *stopped, thought("1")])
    assert state.spent.pico_usd == 2 * 4 * DOLLAR // 10


def test_a_failure_without_a_cost_settles_no_call_that_was_cut_off() -> None:
    died = [run.TakenOver(executor="f"), run.StepsStarted(steps=("1",))]
    failed = run.StepFailed(step="1", attempt=2, error="?", retry_at=NOW)
    retried = run.StepsStarted(steps=("1",), retried=("1",))
    state = RUN.fold([requested(think("1")), *started("1"), *died, failed, retried, thought("1")])
    assert state.spent.pico_usd == 2 * 4 * DOLLAR // 10


def test_a_tool_that_a_crash_has_cut_off_costs_nothing() -> None:
    died = [run.TakenOver(executor="f"), run.StepsStarted(steps=("1",))]
    state = RUN.fold([requested(jobs.task("1", "echo")), *started("1"), *died])
    assert not state.lost


def test_time_counts_only_while_the_run_is_running() -> None:
    state = RUN.fold([requested(think("1")), *started("1")])
    assert run.used(state, "seconds", later(5)) == 5
    state = RUN.fold([run.Suspended(reason="x", worked_ms=5000)], state)
    assert run.used(state, "seconds", later(900)) == 5
    again = [run.Resumed(), run.Started(executor="e", at=later(1000), synthesis="merge")]
    state = RUN.fold(again, state)
    assert run.used(state, "seconds", later(1002)) == 7
    state = RUN.fold([run.Completed(completed_steps=1, duration_ms=3000)], state)
    assert run.used(state, "seconds", later(2000)) == 8


def test_the_time_before_any_end_counts_when_the_run_goes_on() -> None:
    state = RUN.fold([requested(think("1")), *started("1")])
    given_up = RUN.fold(run.give_up(state, "a bug", later(7)), state)
    assert run.used(given_up, "seconds", later(900)) == 7
    died = run.take_over(state, "f", later(8), run.RunPolicy(max_takeovers=1))
    assert run.used(RUN.fold(died, state), "seconds", later(900)) == 8
    completed = RUN.fold([run.Completed(completed_steps=1, duration_ms=9000)], state)
    assert run.used(completed, "seconds", later(900)) == 9


# ── what a budget forbids ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("budget", "needed", "limit"),
    [
        ({}, Estimate(10**9, None), None),
        ({"usd": 1}, Estimate(10, DOLLAR * 6 // 10), None),
        ({"usd": 1}, Estimate(10, DOLLAR * 6 // 10 + 1), "usd"),
        ({"usd": 0}, Estimate(10, 1), "usd"),
        ({"usd": 1}, Estimate(10, None, "m"), "usd"),
        ({"usd": 1}, Estimate(10**9, 0), None),
        ({"tokens": 100}, Estimate(0, None), None),
        ({"tokens": 100}, Estimate(1, None), "tokens"),
        ({"tokens": 0}, Estimate(1, 0), "tokens"),
    ],
)
def test_a_call_that_could_exceed_a_limit_is_not_made(
    budget: dict[str, Json], needed: Estimate, limit: Limit | None
) -> None:
    found = run.exceeded(Budget(**budget), Spending(4 * DOLLAR // 10, 100), needed)
    assert (found and found.limit) == limit


def test_a_model_that_prices_at_zero_is_not_unpriced() -> None:
    assert run.exceeded(Budget(usd="0"), Spending(), Estimate(10, 0)) is None
    refused = run.exceeded(Budget(usd="0"), Spending(), Estimate(10, None, "gpt-x"))
    assert refused
    assert "the price of the model gpt-x is not known" in refused.reason


def test_a_step_that_is_not_affordable_starts_again_later_and_other_steps_go_on(given: Given) -> None:
    state = RUN.fold(
        [requested(think("1"), think("2"), jobs.task("3"), usd=1), *started("1", "2"), thought("1")]
    )
    assert settled(state, Success(reached())) == [
        reached(),
        run.StepsStarted(steps=("3",)),
    ]
    state = RUN.fold([reached(), run.StepsStarted(steps=("3",))], state)
    done = run.StepCompleted(step="3", result="x")
    stopped = run.Suspended(reason="budget: too much", worked_ms=0)
    assert settled(state, Success(done)) == [done, stopped]
    assert RUN.fold([done, stopped], state).ready == ("2",)


def test_a_retry_that_is_not_affordable_does_not_wake_the_driver() -> None:
    history = [requested(think("1"), think("2"), usd=1), *started("1", "2"), reached("2")]
    waits = run.StepFailed(step="1", attempt=1, error="429", retry_at=later(1))
    state = RUN.fold([*history, waits])
    assert run.retries(state, POLICY) == {}


@pytest.mark.parametrize("budget", [{"steps": 0}, {"seconds": 0}])
def test_nothing_starts_with_a_budget_of_zero(budget: dict[str, Json]) -> None:
    state = RUN.fold([requested(jobs.task("1"), **budget)])
    (limit,) = budget
    assert [one.type for one in run.start(state, "e", NOW, POLICY, llm=False)] == [
        "run.started",
        "run.budget_reached",
        "run.suspended",
    ]
    assert run.start(state, "e", NOW, POLICY, llm=False)[1].limit == limit  # type: ignore[attr-defined]


def test_as_many_steps_start_as_the_budget_leaves_room_for() -> None:
    state = RUN.fold([requested(jobs.task("1"), jobs.task("2"), jobs.task("3"), steps=2)])
    events = run.start(state, "e", NOW, POLICY, llm=False)
    assert events[-1] == run.StepsStarted(steps=("1", "2"))
    state = RUN.fold(events, state)
    failed = Failure("1", 1, "429", 0, retryable=True)
    kinds = [one.type for one in settled(state, failed)]
    assert kinds == ["run.step_failed", "run.budget_warned", "run.budget_reached"]
    retried = run.settle(RUN.fold(settled(state, failed), state), [], later(9), POLICY)
    assert retried.events == [run.StepsStarted(steps=("1",), retried=("1",))]


def test_no_step_starts_after_the_seconds_are_over() -> None:
    history = [requested(jobs.task("1"), jobs.task("2", needs=("1",)), seconds=10), *started("1")]
    done = run.StepCompleted(step="1", result="x")
    events = settled(RUN.fold(history), Success(done), now=later(11))
    assert [one.type for one in events[1:]] == ["run.budget_warned", "run.budget_reached", "run.suspended"]
    assert events[-1].worked_ms == 11_000  # type: ignore[attr-defined]


def test_a_goal_run_that_its_budget_stopped_has_failed_and_can_go_on() -> None:
    used = AgentUsed(id="a", name="a", version_name="1", prompt_template="p")
    begun = run.GoalStarted(executor="e", at=NOW, agent=used, temperature=0, max_tokens=9)
    wanted = run.GoalRequested(goal_id="g", objective="do it", step_budget=5, budget=Budget(usd="1"))
    state = RUN.fold([wanted, begun, run.StepsStarted(steps=("1",))])
    over = reached("1")
    stopped = settled(state, Success(over))
    assert stopped == [over, run.Failed(error="budget: too much")]
    state = RUN.fold(stopped, state)
    raised = run.set_budget(state, {"usd": "2"}, NOW)
    assert raised == [run.BudgetSet(budget=Budget(usd="2")), run.Resumed()]
    again = RUN.fold(raised, state)
    assert (again.status, again.ready, again.over_budget) == (Status.PENDING, ("1",), None)


# ── warnings ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_warning_comes_once_at_eighty_percent_and_again_after_a_change() -> None:
    state = RUN.fold([requested(think("1"), think("2"), think("3"), usd=1, tokens=10**6), *started("1", "2")])
    first = settled(state, Success(thought("1", "0.79")))
    assert not any(isinstance(one, run.BudgetWarned) for one in first)
    state = RUN.fold(first, state)
    second = settled(state, Success(thought("2", "0.01")))
    assert run.BudgetWarned(limit="usd", allowed="1", spent="0.8") in second
    state = RUN.fold(second, state)
    assert not any(isinstance(one, run.BudgetWarned) for one in settled(state))
    state = RUN.fold([run.BudgetSet(budget=Budget(usd="0.9"))], state)
    assert run.BudgetWarned(limit="usd", allowed="0.9", spent="0.8") in settled(state)


# ── changing a budget ───────────────────────────────────────────────────────────────────────────────────


STOPPED = [
    requested(think("1"), think("2", "1"), usd=1),
    *started("1"),
    thought("1"),
    run.StepsStarted(steps=("2",)),
    reached(),
    run.Suspended(reason="budget: too much"),
]


def test_a_run_that_its_budget_stopped_goes_on_with_more(given: Given) -> None:
    changed = run.BudgetSet(budget=Budget(usd="1.1"))
    given(RUN, *STOPPED).when(run.set_budget, {"usd": "1.1"}, NOW).then(changed, run.Resumed())


@pytest.mark.parametrize("changes", [{"usd": None}, {"usd": "1.1", "tokens": 5}])
def test_a_limit_can_be_removed_or_added(changes: dict[Limit, Json]) -> None:
    events = run.set_budget(RUN.fold(STOPPED), changes, NOW)
    assert events[0] == run.BudgetSet(budget=Budget(**changes))


def test_a_budget_with_which_the_run_would_stop_again_is_refused(given: Given) -> None:
    message = "usd: the run cannot go on with 1.05 US dollars: give at least 1.1"
    given(RUN, *STOPPED).when(run.set_budget, {"usd": "1.05"}, NOW).then_raises(run.BudgetRefused, message)


def test_the_same_budget_changes_nothing(given: Given) -> None:
    given(RUN, *STOPPED[:2]).when(run.set_budget, {"usd": 1.0}, NOW).then()


def test_the_budget_of_a_running_run_can_be_lowered_below_what_is_spent(given: Given) -> None:
    history = STOPPED[:4]
    lowered = run.BudgetSet(budget=Budget(usd="0.1"))
    given(RUN, *history).when(run.set_budget, {"usd": 0.1}, NOW).then(lowered)


@pytest.mark.parametrize("end", [run.Cancelled(reason="x"), run.Completed(completed_steps=1, duration_ms=1)])
def test_the_budget_of_a_run_that_has_ended_cannot_be_changed(given: Given, end: Event) -> None:
    message = "its budget cannot be changed any more"
    history = (requested(think("1")), *started("1"), end)
    given(RUN, *history).when(run.set_budget, {"usd": 1}, NOW).then_raises(run.BudgetRefused, message)


def test_a_goal_run_that_a_shared_budget_has_stopped_says_what_to_do_instead(given: Given) -> None:
    over = run.BudgetReached(
        limit="usd", allowed="5", spent="5", needed="1", reason="wait, then resume", shared="system/day"
    )
    wanted = run.GoalRequested(goal_id="g", objective="do it", step_budget=5)
    history = (wanted, over, run.Failed(error=over.reason))
    given(RUN, *history).when(run.set_budget, {"usd": 9}, NOW).then_raises(run.BudgetRefused, "then resume")


def test_resuming_without_a_change_checks_the_budget_again(given: Given) -> None:
    state = RUN.fold([*STOPPED, run.Resumed()])
    assert (state.over_budget, state.ready) == (None, ("2",))
