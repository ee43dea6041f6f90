"""Goal runs: which turn, call or summary comes next, and how it ends."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import NO_SUMMARY, RUN, SUMMARY, OutcomeReason, RunPolicy, Status, Success
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
    failure,
    started,
    summarised,
    took,
    wanted,
)


def test_a_request_makes_a_pending_run_once(given: Given) -> None:
    given(RUN).when(run.request, REQUESTED).then_once(REQUESTED)
    assert given(RUN, REQUESTED).state.status is Status.PENDING
    assert given(RUN, REQUESTED).state.goal_id == "goal_1"


def test_starting_asks_for_the_first_turn(given: Given) -> None:
    given(RUN, REQUESTED).when(run.start_goal, STARTED, POLICY).then_once(STARTED, began("1"))
    given(RUN, *BEGUN).when(run.start_goal, STARTED, POLICY).then_nothing()


def test_a_run_that_cannot_be_started_fails(given: Given) -> None:
    why = run.Failed(error="no agent")
    given(RUN, REQUESTED).when(run.start_goal, why, POLICY).then_once(why)
    assert given(RUN, REQUESTED, why).state.status is Status.FAILED


def test_the_execution_of_a_plan_is_not_started_as_a_goal_run_nor_the_other_way_round(given: Given) -> None:
    given(RUN, REQUESTED).when(run.start, "a", NOW, POLICY, llm=True).then_nothing()
    given(RUN).when(run.start_goal, STARTED, POLICY).then_nothing()


def test_a_turn_and_the_calls_it_asks_for_are_one_decision(given: Given) -> None:
    given(RUN, *BEGUN).when(run.settle, [Success(took(1, "a", "b"))], NOW, POLICY).then_once(
        took(1, "a", "b"), began("1.0", "1.1")
    )


def test_the_next_turn_waits_for_every_answer(given: Given) -> None:
    history = (*BEGUN, took(1, "a", "b"), began("1.0", "1.1"))
    given(RUN, *history).when(run.settle, [Success(answered(1, 1))], NOW, POLICY).then_once(answered(1, 1))
    given(RUN, *history, answered(1, 1)).when(run.settle, [Success(answered(1, 0))], NOW, POLICY).then_once(
        answered(1, 0), began("2")
    )


def test_answers_that_come_together_are_one_decision(given: Given) -> None:
    both = [answered(1, 1), answered(1, 0)]
    given(RUN, *BEGUN, took(1, "a", "b"), began("1.0", "1.1")).when(
        run.settle, [Success(one) for one in both], NOW, POLICY
    ).then_once(*both, began("2"))


def test_a_refused_call_is_not_made(given: Given) -> None:
    mixed, refused = took(1, "!a", "b"), took(1, "!a")
    given(RUN, *BEGUN).when(run.settle, [Success(mixed)], NOW, POLICY).then_once(mixed, began("1.1"))
    given(RUN, *BEGUN).when(run.settle, [Success(refused)], NOW, POLICY).then_once(refused, began("2"))
    assert given(RUN, *BEGUN, refused).state.loop.turns[0].answers[0].error == "no"


def test_a_turn_that_calls_nothing_and_stops_is_the_last(given: Given) -> None:
    given(RUN, *BEGUN).when(run.settle, [Success(took(1))], NOW, POLICY).then_once(took(1), began(SUMMARY))


@pytest.mark.parametrize("reason", ["length", "content_filter", "tool_calls"])
def test_a_turn_that_was_cut_short_is_followed_by_another(given: Given, reason: str) -> None:
    short = took(1, reason=reason)
    given(RUN, *BEGUN).when(run.settle, [Success(short)], NOW, POLICY).then_once(short, began("2"))


def test_the_last_turn_of_the_budget_still_has_its_calls_made(given: Given) -> None:
    history = (wanted(1), STARTED, began("1"))
    given(RUN, *history).when(run.settle, [Success(took(1, "a"))], NOW, POLICY).then_once(
        took(1, "a"), began("1.0")
    )
    given(RUN, *history, took(1, "a"), began("1.0")).when(
        run.settle, [Success(answered(1, 0))], NOW, POLICY
    ).then_once(answered(1, 0), began(SUMMARY))


def test_the_summary_ends_the_run(given: Given) -> None:
    later = NOW + timedelta(seconds=2)
    given(RUN, *BEGUN, took(1), began(SUMMARY)).when(
        run.settle, [Success(summarised())], later, POLICY
    ).then_once(summarised(), completed(1).model_copy(update={"duration_ms": 2000}))


UNREADABLE = took(1, problem="that call cannot be read")


@pytest.mark.parametrize(
    ("turns", "summary", "reason"),
    [
        ((took(1),), "stop", "done"),
        ((*FIRST, took(2)), "stop", "done"),
        ((*FIRST, took(2)), None, "done"),
        ((*FIRST, took(2)), "length", "truncated"),
        ((*FIRST, took(2, reason="content_filter")), "stop", "truncated"),
        ((*FIRST, took(2, "b"), answered(2, 0)), "stop", "budget_exhausted"),
        ((*FAILED, took(2)), "stop", "calls_failed"),
        ((*FAILED, took(2)), "length", "calls_failed"),
        ((*FAILED, took(2, "b"), answered(2, 0)), "stop", "budget_exhausted"),
        ((*FIRST, took(2, "b"), failed("2.0")), "stop", "budget_exhausted"),
        ((took(1, "!a"), took(2)), "stop", "nothing_done"),
        ((took(1, "!a"), took(2, reason="length")), "stop", "nothing_done"),
        ((UNREADABLE, took(2)), "stop", "nothing_done"),
        ((UNREADABLE, took(2, problem="nor that")), "stop", "nothing_done"),
        ((*FIRST, took(2, problem="nor that")), "stop", "budget_exhausted"),
    ],
)
def test_a_run_that_ended_says_whether_it_did_what_it_was_told(
    given: Given,
    turns: Sequence[run.TurnTaken | run.CallAnswered],
    summary: str | None,
    reason: OutcomeReason,
) -> None:
    written = run.Summarised(summary="done", finish_reason=summary)
    history = (wanted(2), STARTED, *started(*turns), began(SUMMARY))

    taken = sum(isinstance(event, run.TurnTaken) for event in turns)
    end = completed(taken, reason)
    given(RUN, *history).when(run.settle, [Success(written)], NOW, POLICY).then_once(written, end)
    assert given(RUN, *history, written, end).state.loop.outcome_reason == reason


def test_a_failed_call_that_succeeds_later_is_no_reason_to_fail(given: Given) -> None:
    turns = started(*FAILED, took(2, "a"), answered(2, 0), took(3))
    history = (REQUESTED, STARTED, *turns, began(SUMMARY))
    given(RUN, *history).when(run.settle, [Success(summarised())], NOW, POLICY).then_once(
        summarised(), completed(3)
    )


def test_a_model_is_told_once_that_its_call_cannot_be_read(given: Given) -> None:
    again = took(2, problem="nor that")
    given(RUN, *BEGUN).when(run.settle, [Success(UNREADABLE)], NOW, POLICY).then_once(UNREADABLE, began("2"))
    given(RUN, *BEGUN, UNREADABLE, began("2")).when(run.settle, [Success(again)], NOW, POLICY).then_once(
        again, began(SUMMARY)
    )
    turns = started(*FIRST, took(2, problem="no"), took(3, problem="no"))
    stuck = (REQUESTED, STARTED, *turns, began(SUMMARY))
    given(RUN, *stuck).when(run.settle, [Success(summarised())], NOW, POLICY).then_once(
        summarised(), completed(3, "calls_failed")
    )


def test_a_run_whose_summary_fails_for_good_says_so(given: Given) -> None:
    given(RUN, *BEGUN, took(1), began(SUMMARY)).when(run.settle, [failure(SUMMARY)], NOW, POLICY).then_once(
        failed(SUMMARY), summarised(NO_SUMMARY), completed(1)
    )


def test_a_model_that_fails_for_good_fails_the_run(given: Given) -> None:
    given(RUN, *BEGUN).when(run.settle, [failure("1")], NOW, POLICY).then_once(
        failed("1"), run.Failed(error="broke")
    )


def test_a_model_that_fails_temporarily_is_asked_again(given: Given) -> None:
    due = NOW + timedelta(seconds=1)
    later = failed("1", retry_at=due)
    given(RUN, *BEGUN).when(run.settle, [failure("1", retryable=True)], NOW, POLICY).then_once(later)
    given(RUN, *BEGUN, later).when(run.settle, [], due, POLICY).then_once(began("1", retried=("1",)))


def test_a_call_that_fails_for_good_is_an_answer(given: Given) -> None:
    history = (*BEGUN, took(1, "a"), began("1.0"))
    given(RUN, *history).when(run.settle, [failure("1.0")], NOW, POLICY).then_once(failed("1.0"), began("2"))
    state = given(RUN, *history, failed("1.0")).state
    assert state.loop.turns[0].answers[0].error == "broke"
    assert state.status is Status.RUNNING


def test_taking_over_repeats_what_may_be_repeated_and_answers_the_rest(given: Given) -> None:
    calls = run.StepsStarted(steps=("1.0", "1.1"), effects={"1.0": Effect.READ})
    state = given(RUN, *BEGUN, took(1, "read", "send"), calls).state
    taken, unknown, again = run.take_over(state, "b", NOW, POLICY)
    assert taken == run.TakenOver(executor="b")
    assert isinstance(unknown, run.StepFailed)
    assert (unknown.step, unknown.retry_at) == ("1.1", None)
    assert "while send was running" in unknown.error
    assert again == began("1.0")


def test_taking_over_a_turn_whose_calls_all_have_unknown_outcomes_goes_on_with_the_next(given: Given) -> None:
    state = given(RUN, *BEGUN, took(1, "send"), began("1.0")).state
    events = run.take_over(state, "b", NOW, POLICY)
    assert [type(event) for event in events] == [run.TakenOver, run.StepFailed, run.StepsStarted]
    assert events[-1] == began("2")


def test_a_run_that_kills_its_executors_fails(given: Given) -> None:
    history = (*BEGUN, *[run.TakenOver(executor="b")] * (POLICY.max_takeovers - 1))
    events = run.take_over(given(RUN, *history).state, "a", NOW, POLICY)
    assert isinstance(events[-1], run.Failed)
    assert "steps in progress: 1" in events[-1].error


def test_a_goal_run_can_be_cancelled_and_deleted(given: Given) -> None:
    given(RUN, *BEGUN).when(run.cancel, "enough").then_once(run.Cancelled(reason="enough"))
    given(RUN, *BEGUN).when(run.delete).then(run.Cancelled(reason="deleted"), run.Deleted())
    over = given(RUN, *BEGUN, failed("1"), run.Failed(error="broke"))
    over.when(run.cancel, "late").then_raises(run.AlreadyFinished)
    over.when(run.settle, [Success(took(1))], NOW, POLICY).then_nothing()


# ── what holds for every goal run ───────────────────────────────────────────────────────────────────────


@for_all(st.data(), st.integers(1, 4), st.integers(1, 3))
def test_every_history_keeps_the_rules(data: st.DataObject, budget: int, parallel: int) -> None:
    """No turn, call or end twice; no turn before every answer; the budget kept; and always an end."""
    effect = data.draw(st.sampled_from(Effect))
    policy = RunPolicy(
        parallel=parallel, retries=1, backoff_s=0.0, max_takeovers=30, effect_of=lambda _: effect
    )
    history: list[Event] = [wanted(budget)]
    for move in range(200):
        state = RUN.fold(history)
        if state.status in {Status.COMPLETED, Status.FAILED}:
            check(history, budget)
            assert run.settle(state, [], NOW, policy).events == []
            if move > 40 or not _is_resumed(data, state, history):
                return
            continue
        if state.status is Status.PENDING:
            history.extend(run.start_goal(state, STARTED, policy))
        elif move < 20 and data.draw(st.integers(0, 9)) == 9:
            history.extend(run.take_over(state, f"e{move}", NOW, policy))
        else:
            steps = data.draw(st.lists(st.sampled_from(sorted(state.running)), unique=True, min_size=1))
            outcomes = [_outcome(data, state, step, lucky=move > 40) for step in steps]
            history.extend(run.settle(state, outcomes, NOW, policy).events)
            assert run.settle(RUN.fold(history), outcomes, NOW, policy).events == []
        assert len(RUN.fold(history).running) <= parallel
        check(history, budget)
    pytest.fail("the run did not end")


def _is_resumed(data: st.DataObject, state: run.State, history: list[Event]) -> bool:
    """Resume the run, if it can be."""
    try:
        resumed = run.resume(state)
    except run.CannotResume:
        return False
    if data.draw(st.booleans()):
        history.extend(resumed)
        return True
    return False


def _outcome(data: st.DataObject, state: run.State, step: str, *, lucky: bool) -> run.Outcome:
    attempt = state.running[step]
    if not lucky and data.draw(st.sampled_from([True, False, False])):
        return failure(step, attempt, retryable=data.draw(st.booleans()))
    if step == SUMMARY:
        return Success(run.Summarised(summary="done", attempt=attempt))
    turn, _, position = step.partition(".")
    if position:
        return Success(answered(int(turn), int(position), attempt=attempt))
    calls = data.draw(st.lists(st.sampled_from(["a", "b", "!c"]), max_size=3))
    reason = data.draw(st.sampled_from(["", "length"]))
    return Success(took(int(turn), *calls, reason=reason, attempt=attempt))


def check(history: Sequence[Event], budget: int) -> None:
    turns = [event for event in history if isinstance(event, run.TurnTaken)]
    assert [event.turn for event in turns] == list(range(1, len(turns) + 1))
    assert len(turns) <= budget
    answers = Counter(event.step for event in history if isinstance(event, run.CallAnswered | run.Summarised))
    failures = Counter(
        event.step for event in history if isinstance(event, run.StepFailed) and event.retry_at is None
    )
    resumes = sum(isinstance(event, run.Resumed) for event in history)
    assert all(count == 1 for step, count in answers.items() if step != SUMMARY)
    assert answers[SUMMARY] <= 1 + resumes
    assert not {step for step in failures if "." in step} & set(answers)
    ends = [event for event in history if isinstance(event, run.Completed | run.Failed)]
    assert len(ends) <= 1 + resumes
    for n, event in enumerate(history[1:]):
        assert not isinstance(history[n], run.Completed | run.Failed) or isinstance(event, run.Resumed)
    _check_order(history)


def _check_order(history: Sequence[Event]) -> None:
    owed: set[str] = set()
    for event in history:
        match event:
            case run.TurnTaken():
                assert not owed, "a turn before every answer"
                owed = {f"{event.turn}.{n}" for n, call in enumerate(event.calls) if not call.refusal}
            case run.CallAnswered():
                owed.discard(event.step)
            case run.StepFailed(retry_at=None):
                owed.discard(event.step)
            case run.StepsStarted():
                assert all("." in step for step in event.steps) or not owed
