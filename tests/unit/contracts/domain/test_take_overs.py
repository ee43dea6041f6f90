"""Runs whose executor died, or which are given up: what is repeated, and what is not."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Status
from contracts.domain.run.decisions import FAILED_AT_ONCE
from contracts.domain.run.steps import SYNTHESIS, Step
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
    requested,
    started,
)


def reading(*steps: str) -> run.StepsStarted:
    return run.StepsStarted(steps=steps, effects=dict.fromkeys(steps, Effect.READ))


def reads(_: Step) -> Effect:
    return Effect.READ


def test_taking_over_repeats_what_may_be_repeated_and_asks_about_the_rest(given: Given) -> None:
    effects = {"1": Effect.IDEMPOTENT}
    both = run.StepsStarted(steps=("1", "2"), effects=effects)
    state = given(RUN, requested(("1", []), ("2", [])), started(), both).state
    events = run.take_over(state, OTHER, NOW, POLICY)
    assert [run.TakenOver, run.StepFailed, run.StepsStarted] == [type(event) for event in events]
    assert isinstance(events[1], run.StepFailed)
    assert events[1].step == "2"
    assert "unknown" in events[1].error
    assert events[2] == began("1")


def test_a_run_that_kills_its_executors_is_suspended(given: Given) -> None:
    history = (CHAIN, started(), reading("1"), *[run.TakenOver(executor=OTHER)] * (POLICY.max_takeovers - 1))
    events = run.take_over(given(RUN, *history).state, ME, NOW, POLICY)
    assert isinstance(events[-1], run.Suspended)
    assert "steps in progress: 1" in events[-1].reason


def test_the_effect_of_a_step_is_recorded_at_its_start_and_used_at_a_take_over(given: Given) -> None:
    """It may lack the tool, or have another of that name."""
    knowing = replace(POLICY, effect_of=reads)
    given(RUN, CHAIN).when(run.start, ME, NOW, knowing, llm=False).then_once(started(), reading("1"))
    state = given(RUN, CHAIN, started(), reading("1")).state
    assert run.take_over(state, OTHER, NOW, POLICY) == [run.TakenOver(executor=OTHER), began("1")]
    unknown = given(RUN, CHAIN, started(), began("1")).state
    _, failed_, suspended = run.take_over(unknown, OTHER, NOW, knowing)
    assert isinstance(failed_, run.StepFailed)
    assert isinstance(suspended, run.Suspended)


def test_a_step_of_a_model_runs_again_whatever_the_log_says(given: Given) -> None:
    history = (requested(("1", []), plan="report"), started("llm"), began("1"), done("1"), began(SYNTHESIS))
    events = run.take_over(given(RUN, *history).state, OTHER, NOW, POLICY)
    assert events == [run.TakenOver(executor=OTHER), began(SYNTHESIS)]


def test_a_run_that_is_given_up_fails_what_must_not_be_repeated(given: Given) -> None:
    history = (requested(("1", []), ("2", [])), started(), began("1"), reading("2"))
    unknown, suspended = run.give_up(given(RUN, *history).state, "a bug", NOW)
    assert isinstance(unknown, run.StepFailed)
    assert (unknown.step, suspended) == ("1", run.Suspended(reason="a bug"))


def test_a_wide_run_is_given_up_in_as_many_decisions_as_it_takes(given: Given) -> None:
    steps = tuple(str(n) for n in range(2 * FAILED_AT_ONCE + 1))
    state = given(RUN, requested(*((step, []) for step in steps)), started(), began(*steps)).state
    sizes = []
    while events := run.give_up(state, "a bug", NOW):
        sizes.append(len(events))
        state = RUN.fold(events, state)
    assert sizes == [FAILED_AT_ONCE, FAILED_AT_ONCE, 2]
    assert state.status is Status.SUSPENDED
    assert state.failed.keys() == set(steps)


def test_a_once_step_that_was_in_progress_is_not_ready_after_a_resume(given: Given) -> None:
    """A run given up by an older executor, which left its steps in progress."""
    history = (requested(("1", []), ("2", [])), started(), began("1"), reading("2"))
    state = given(RUN, *history, run.Suspended(reason="a bug"), run.Resumed()).state
    assert state.ready == ("2",)
    assert "unknown" in state.failed["1"]


@pytest.mark.parametrize("history", [(CHAIN,), (CHAIN, started(), reading("1"))], ids=["pending", "running"])
def test_a_run_that_is_given_up_says_so_and_can_be_resumed(given: Given, history: tuple[Event, ...]) -> None:
    suspended = run.Suspended(reason="a bug")
    given(RUN, *history).when(run.give_up, "a bug", NOW).then_once(suspended)
    given(RUN, *history, suspended).when(run.resume).then(run.Resumed())
    given(RUN, *history, suspended, run.Resumed()).when(run.start, ME, NOW, POLICY, llm=False).then_once(
        started(), began("1")
    )


def test_a_run_that_has_ended_cannot_be_given_up(given: Given) -> None:
    ended = run.Completed(completed_steps=2, duration_ms=1)
    given(RUN, CHAIN, started(), ended).when(run.give_up, "a bug", NOW).then_nothing()


def test_take_overs_of_a_run_that_only_waits_say_nothing_against_it(given: Given) -> None:
    waiting = (requested(("1", [])), started(), began("1"), failed("1", retry_at=NOW + timedelta(hours=1)))
    history = (*waiting, *[run.TakenOver(executor=OTHER)] * (2 * POLICY.max_takeovers))
    events = run.take_over(given(RUN, *history).state, ME, NOW, POLICY)
    assert events == [run.TakenOver(executor=ME)]


def test_progress_forgives_take_overs(given: Given) -> None:
    assert (
        given(RUN, CHAIN, started(), began("1"), run.TakenOver(executor=OTHER), done("1")).state.takeovers
        == 0
    )
