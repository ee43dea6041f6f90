"""Resuming runs of goals."""

from __future__ import annotations

from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, SUMMARY, Status, Success
from tests.unit.contracts.domain.turn_events import (
    BEGUN,
    FAILED,
    FIRST,
    NOW,
    POLICY,
    REQUESTED,
    STARTED,
    Given,
    answered,
    began,
    completed,
    failed,
    started,
    summarised,
    took,
    wanted,
)

RESUMED = run.Resumed()
BROKEN = run.Failed(error="broke")


def test_a_run_that_failed_before_its_start_is_started_when_it_is_resumed(given: Given) -> None:
    failed_run = (REQUESTED, run.Failed(error="no model"))
    given(RUN, *failed_run).when(run.resume).then(RESUMED)
    resumed = given(RUN, *failed_run, RESUMED)
    assert (resumed.state.status, resumed.state.loop.error, resumed.state.resumes) == (
        Status.PENDING,
        None,
        1,
    )
    resumed.when(run.start_goal, STARTED, POLICY).then_once(STARTED, began("1"))


def test_a_turn_that_failed_for_good_runs_again_when_its_run_is_resumed(given: Given) -> None:
    history = (*BEGUN, took(1, "a"), began("1.0"), answered(1, 0), began("2"), failed("2"), BROKEN)
    given(RUN, *history).when(run.resume).then(RESUMED)
    given(RUN, *history, RESUMED).when(run.start_goal, STARTED, POLICY).then_once(STARTED, began("2"))


def test_calls_in_progress_of_a_failed_run_run_again_only_if_they_may_be_repeated(given: Given) -> None:
    calls = run.StepsStarted(steps=("1.0", "1.1"), effects={"1.0": Effect.READ})
    history = (*BEGUN, took(1, "read", "send", "late"), calls, BROKEN)
    started_again = given(RUN, *history, RESUMED).state
    first, unknown, again = run.start_goal(started_again, STARTED, POLICY)
    assert first == STARTED
    assert isinstance(unknown, run.StepFailed)
    assert (unknown.step, unknown.attempt, unknown.retry_at) == ("1.1", 1, None)
    assert "Find out before you call it again" in unknown.error
    assert again == began("1.2", "1.0")


def test_a_run_whose_only_call_has_an_unknown_outcome_goes_on_with_the_next_turn(given: Given) -> None:
    state = given(RUN, *BEGUN, took(1, "send"), began("1.0"), BROKEN, RESUMED).state
    events = run.start_goal(state, STARTED, POLICY)
    assert [type(event) for event in events] == [run.GoalStarted, run.StepFailed, run.StepsStarted]
    assert events[-1] == began("2")


CALLS_FAILED = (
    *BEGUN,
    *started(*FAILED, took(2))[1:],
    began(SUMMARY),
    summarised(),
    completed(2, "calls_failed"),
)


def test_a_run_that_ended_with_failed_calls_takes_another_turn_when_it_is_resumed(given: Given) -> None:
    given(RUN, *CALLS_FAILED).when(run.resume).then(RESUMED)
    resumed = (*CALLS_FAILED, RESUMED)
    given(RUN, *resumed).when(run.start_goal, STARTED, POLICY).then_once(STARTED, began("3"))
    again = (*resumed, STARTED, began("3"))
    given(RUN, *again).when(run.settle, [Success(took(3, "a"))], NOW, POLICY).then_once(
        took(3, "a"), began("3.0")
    )
    last = (*again, took(3, "a"), began("3.0"), answered(3, 0), began("4"), took(4), began(SUMMARY))
    twice = summarised().model_copy(update={"attempt": 2})
    given(RUN, *last).when(run.settle, [Success(twice)], NOW, POLICY).then_once(twice, completed(4))


def test_an_agent_that_is_resumed_and_finishes_at_once_ends_the_run(given: Given) -> None:
    again = (*CALLS_FAILED, RESUMED, STARTED, began("3"))
    given(RUN, *again).when(run.settle, [Success(took(3))], NOW, POLICY).then_once(took(3), began(SUMMARY))


def test_a_model_is_told_again_that_its_call_cannot_be_read_after_a_resume(given: Given) -> None:
    stuck = started(*FIRST, took(2, problem="no"), took(3, problem="no"))
    end = (began(SUMMARY), summarised(), completed(3, "calls_failed"))
    again = (REQUESTED, STARTED, *stuck, *end, RESUMED, STARTED, began("4"))
    unreadable = took(4, problem="no")
    given(RUN, *again).when(run.settle, [Success(unreadable)], NOW, POLICY).then_once(unreadable, began("5"))


def test_a_goal_run_that_reached_its_end_is_not_resumed_and_the_refusal_says_why(given: Given) -> None:
    done = (*BEGUN, took(1), began(SUMMARY), summarised())
    spent = (wanted(2), STARTED, *started(*FAILED, took(2)), began(SUMMARY), summarised())
    for history, why in (
        ((*done, completed(1)), r"completed \(done\): fork it"),
        ((*done, completed(1, "budget_exhausted")), r"completed \(budget_exhausted\)"),
        ((*spent, completed(2, "calls_failed")), "used all its 2 turns: fork it with a larger stepBudget"),
        ((*BEGUN, run.Cancelled(reason="enough")), "was cancelled, which is final"),
        (BEGUN, "the run is running"),
        ((REQUESTED,), "the run is pending"),
    ):
        given(RUN, *history).when(run.resume).then_raises(run.CannotResume, why)
    given(RUN, *BEGUN, run.Cancelled(reason="x"), run.Deleted()).when(run.resume).then_raises(run.UnknownRun)
