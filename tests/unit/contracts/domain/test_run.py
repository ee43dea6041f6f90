"""The run aggregate: what may start, what came of it, and how it ends."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, RunPolicy, Status, Success
from contracts.domain.run.steps import SYNTHESIS
from tests.unit.contracts.domain.run_events import (
    CHAIN,
    ME,
    NOW,
    OTHER,
    POLICY,
    Given,
    began,
    done,
    failed,
    failure,
    requested,
    started,
)

DIAMOND = requested(("1", []), ("2", ["1"]), ("3", ["1"]), ("4", ["2", "3"]))


def test_a_request_makes_a_pending_run_once(given: Given) -> None:
    given(RUN).when(run.request, CHAIN).then_once(CHAIN)


def test_starting_begins_every_step_that_needs_nothing(given: Given) -> None:
    both = requested(("1", []), ("2", []), ("3", ["1"]))
    given(RUN, both).when(run.start, ME, NOW, POLICY, llm=False).then_once(started(), began("1", "2"))


def test_a_run_that_another_executor_started_is_not_started(given: Given) -> None:
    given(RUN, CHAIN, started(), began("1")).when(run.start, OTHER, NOW, POLICY, llm=False).then_nothing()


def test_a_report_is_written_by_a_model_when_the_plan_asks_for_one_and_a_model_is_there(given: Given) -> None:
    asks = requested(("1", []), plan="put it together")
    given(RUN, asks).when(run.start, ME, NOW, POLICY, llm=True).then_once(started("llm"), began("1"))
    given(RUN, asks).when(run.start, ME, NOW, POLICY, llm=False).then_once(started("merge"), began("1"))


def test_without_a_model_the_results_of_inferences_are_put_together(given: Given) -> None:
    """Their agents may have models of their own."""
    asks = requested(("1", []), plan="put it together")
    (thinking,) = asks.job.sub_tasks
    thinking = thinking.model_copy(update={"action_type": "inference"})
    infers = asks.model_copy(update={"job": asks.job.model_copy(update={"sub_tasks": [thinking]})})
    given(RUN, infers).when(run.start, ME, NOW, POLICY, llm=False).then_once(started("merge"), began("1"))


def test_a_completed_step_and_those_it_sets_free_are_one_decision(given: Given) -> None:
    given(RUN, DIAMOND, started(), began("1")).when(run.settle, [Success(done("1"))], NOW, POLICY).then_once(
        done("1"), began("2", "3")
    )


def test_a_step_waits_for_all_it_needs(given: Given) -> None:
    given(RUN, DIAMOND, started(), began("1"), done("1"), began("2", "3")).when(
        run.settle, [Success(done("3"))], NOW, POLICY
    ).then_once(done("3"))


def test_the_last_step_ends_the_run_with_the_merged_report(given: Given) -> None:
    later = NOW + timedelta(seconds=2)
    given(RUN, CHAIN, started(), began("1"), done("1"), began("2")).when(
        run.settle, [Success(done("2", "the end"))], later, POLICY
    ).then_once(
        done("2", "the end"),
        done(SYNTHESIS, "the end"),
        run.Completed(completed_steps=2, duration_ms=2000, for_goal=False),
    )


def test_a_report_by_a_model_is_a_step_like_any_other(given: Given) -> None:
    asks = requested(("1", []), plan="put it together")
    history = (asks, started("llm"), began("1"))
    given(RUN, *history).when(run.settle, [Success(done("1"))], NOW, POLICY).then_once(
        done("1"), began(SYNTHESIS)
    )
    given(RUN, *history, done("1"), began(SYNTHESIS)).when(
        run.settle, [Success(done(SYNTHESIS, "report"))], NOW, POLICY
    ).then_once(done(SYNTHESIS, "report"), run.Completed(completed_steps=1, duration_ms=0, for_goal=False))


def test_a_result_that_comes_twice_counts_once(given: Given) -> None:
    given(RUN, CHAIN, started(), began("1"), done("1"), began("2")).when(
        run.settle, [Success(done("1", "again"))], NOW, POLICY
    ).then_nothing()


def test_a_result_of_an_attempt_that_was_given_up_does_not_count(given: Given) -> None:
    history = (CHAIN, started(), began("1"), run.TakenOver(executor=OTHER), began("1"))
    given(RUN, *history).when(run.settle, [Success(done("1", attempt=1))], NOW, POLICY).then_nothing()


def test_a_temporary_error_is_retried_after_a_growing_wait(given: Given) -> None:
    history = (CHAIN, started(), began("1"))
    first = failed("1", retry_at=NOW + timedelta(seconds=1))
    given(RUN, *history).when(run.settle, [failure("1", retryable=True)], NOW, POLICY).then_once(first)
    second = failed("1", 2, retry_at=NOW + timedelta(seconds=2))
    given(RUN, *history, first, began("1", retried=("1",))).when(
        run.settle, [failure("1", 2, retryable=True)], NOW, POLICY
    ).then_once(second)


def test_a_retry_waits_as_long_as_the_other_side_asks(given: Given) -> None:
    given(RUN, CHAIN, started(), began("1")).when(
        run.settle, [failure("1", retryable=True, retry_after=30)], NOW, POLICY
    ).then_once(failed("1", retry_at=NOW + timedelta(seconds=30)))


@pytest.mark.parametrize(
    ("asked", "waits"), [(1795416660596.0, 3600), (math.inf, 1), (math.nan, 1), (-30.0, 1), (3599.0, 3599)]
)
def test_nobody_makes_a_run_wait_for_longer_than_the_policy_allows(
    given: Given, asked: float, waits: float
) -> None:
    given(RUN, CHAIN, started(), began("1")).when(
        run.settle, [failure("1", retryable=True, retry_after=asked)], NOW, POLICY
    ).then_once(failed("1", retry_at=NOW + timedelta(seconds=waits)))


def test_the_wait_before_a_retry_is_bounded_after_any_number_of_failures() -> None:
    assert RunPolicy(backoff_s=1.0, max_backoff_s=60.0).wait_s(5_000, 0.5) == 60.0


def test_a_retry_starts_when_it_is_due_and_not_before(given: Given) -> None:
    due = NOW + timedelta(seconds=1)
    waiting = given(RUN, CHAIN, started(), began("1"), failed("1", retry_at=due))
    waiting.when(run.settle, [], NOW, POLICY).then_nothing()
    waiting.when(run.settle, [], due, POLICY).then_once(began("1", retried=("1",)))


def test_an_error_for_good_suspends_once_independent_branches_are_through(given: Given) -> None:
    history = (requested(("1", []), ("2", []), ("3", ["2"])), started(), began("1", "2"))
    given(RUN, *history).when(run.settle, [failure("1")], NOW, POLICY).then_once(failed("1"))
    given(RUN, *history, failed("1"), done("2"), began("3")).when(
        run.settle, [Success(done("3"))], NOW, POLICY
    ).then_once(done("3"), run.Suspended(reason="broke"))


def test_retries_are_bounded(given: Given) -> None:
    once = NOW + timedelta(seconds=1)
    history = (
        CHAIN,
        started(),
        began("1"),
        failed("1", retry_at=once),
        began("1"),
        failed("1", 2, once),
        began("1"),
    )
    given(RUN, *history).when(run.settle, [failure("1", 3, retryable=True)], NOW, POLICY).then_once(
        failed("1", 3), run.Suspended(reason="broke")
    )


def test_a_resumed_run_repeats_only_what_failed(given: Given) -> None:
    history = (DIAMOND, started(), began("1"), done("1"), began("2", "3"), done("2"), failed("3"))
    suspended = (*history, run.Suspended(reason="broke"))
    given(RUN, *suspended).when(run.resume).then(run.Resumed())
    given(RUN, *suspended, run.Resumed()).when(run.start, ME, NOW, POLICY, llm=False).then_once(
        started(), began("3")
    )


@pytest.mark.parametrize("history", [(CHAIN,), (CHAIN, started(), began("1"))])
def test_only_a_suspended_run_can_be_resumed(given: Given, history: tuple[Event, ...]) -> None:
    given(RUN, *history).when(run.resume).then_raises(run.CannotResume, "only a suspended or failed one")


def test_a_limit_on_steps_in_progress_is_kept(given: Given) -> None:
    wide = requested(("1", []), ("2", []), ("3", []))
    narrow = RunPolicy(parallel=2)
    given(RUN, wide).when(run.start, ME, NOW, narrow, llm=False).then_once(started(), began("1", "2"))
    given(RUN, wide, started(), began("1", "2")).when(
        run.settle, [Success(done("1"))], NOW, narrow
    ).then_once(done("1"), began("3"))


def test_a_retry_that_is_due_waits_for_room_and_not_for_the_clock(given: Given) -> None:
    """Nobody can start it before another step ends, and who ends one looks again anyway."""
    wide, narrow = requested(("1", []), ("2", [])), RunPolicy(parallel=1)
    waiting = (wide, started(), began("1"), failed("1", retry_at=NOW))
    assert run.retries(given(RUN, *waiting).state, narrow) == {"1": NOW}
    assert run.retries(given(RUN, *waiting, began("2")).state, narrow) == {}
    assert run.retries(given(RUN, *waiting).state, RunPolicy(parallel=0)) == {}


def test_a_cancelled_run_is_over_and_cancelling_twice_is_nothing(given: Given) -> None:
    given(RUN, CHAIN, started(), began("1")).when(run.cancel, "enough").then_once(
        run.Cancelled(reason="enough")
    )
    over = given(RUN, CHAIN, started(), began("1"), run.Cancelled(reason="enough"))
    over.when(run.settle, [Success(done("1"))], NOW, POLICY).then_nothing()
    over.when(run.resume).then_raises(run.CannotResume)


def test_a_finished_run_cannot_be_cancelled(given: Given) -> None:
    history = (CHAIN, started(), run.Completed(completed_steps=2, duration_ms=1))
    given(RUN, *history).when(run.cancel, "late").then_raises(run.AlreadyFinished)


def test_deleting_an_open_run_cancels_it_first(given: Given) -> None:
    given(RUN, CHAIN, started()).when(run.delete).then(run.Cancelled(reason="deleted"), run.Deleted())
    given(RUN, CHAIN, run.Deleted()).when(run.delete).then_raises(run.UnknownRun)


# ── what holds for every run ────────────────────────────────────────────────────────────────────────────


@st.composite
def plans(draw: st.DrawFn) -> run.Requested:
    count = draw(st.integers(1, 8))
    tasks = []
    for n in range(count):
        needs = (
            draw(st.lists(st.sampled_from([str(m) for m in range(n)]), unique=True, max_size=3)) if n else []
        )
        tasks.append((str(n), needs))
    return requested(*tasks, plan=draw(st.sampled_from(["", "put it together"])))


@settings(deadline=None)
@for_all(plans(), st.data(), st.integers(1, 4))
def test_every_history_keeps_the_rules(wanted: run.Requested, data: st.DataObject, parallel: int) -> None:
    """Nothing twice, nothing before what it needs, never more than the limit, and always an end."""
    effect = data.draw(st.sampled_from(Effect))
    policy = RunPolicy(parallel=parallel, retries=1, backoff_s=0.0, effect_of=lambda _: effect)
    history: list[Event] = [wanted]
    executor = 0

    def land(events: list[Event]) -> None:
        now = state
        for event in events:
            again = now.running.keys() & set(event.steps if isinstance(event, run.StepsStarted) else ())
            assert all(now.is_repeatable(step) for step in again), "done twice unasked"
            now = RUN.evolve(now, event)
        history.extend(events)
        check(history, parallel)

    for move in range(100):
        lucky = move > 30
        state = RUN.fold(history)
        if state.status is Status.COMPLETED:
            return
        if state.status is Status.PENDING:
            land(run.start(state, f"e{executor}", NOW, policy, llm=True))
        elif state.status is Status.SUSPENDED:
            land(run.resume(state))
        elif not lucky and data.draw(st.integers(0, 9)) == 9:
            executor += 1
            land(run.take_over(state, f"e{executor}", NOW, policy))
        elif not lucky and data.draw(st.integers(0, 9)) == 9:
            land(run.give_up(state, "a bug", NOW))
        else:
            steps = sorted(state.running) if lucky else data.draw(_some_of(sorted(state.running)))
            outcomes = [_outcome(data, step, state.running[step], lucky=lucky) for step in steps]
            settled = run.settle(state, outcomes, NOW, policy)
            assert settled.state == RUN.fold(settled.events, state)
            land(settled.events)
            assert run.settle(RUN.fold(history), outcomes, NOW, policy).events == []
    pytest.fail("the run did not end")


def _some_of(steps: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(steps), unique=True, min_size=1)


def _outcome(data: st.DataObject, step: str, attempt: int, *, lucky: bool) -> run.Outcome:
    kind = "ok" if lucky else data.draw(st.sampled_from(["ok", "ok", "ok", "passing", "final"]))
    if kind == "ok":
        return Success(done(step, attempt=attempt))
    return failure(step, attempt, retryable=kind == "passing")


def check(history: list[Event], parallel: int) -> None:
    completed: set[str] = set()
    state = RUN.fold(history)
    needs = {id_: step.needs for id_, step in state.graph.steps.items()}
    for event in history:
        if isinstance(event, run.StepsStarted):
            for step in event.steps:
                assert completed.issuperset(needs[step]), f"{step} started before what it needs"
                assert step not in completed
        elif isinstance(event, run.StepCompleted):
            assert event.step not in completed, "completed twice"
            completed.add(event.step)
    assert len(state.running) <= max(parallel, 1)
    assert sum(isinstance(event, run.Completed) for event in history) <= 1
