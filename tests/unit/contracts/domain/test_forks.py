"""Forks: what a run inherits from another one, what it runs again, and which changes are refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, StepChange, Success
from contracts.domain.run.steps import SYNTHESIS
from tests import jobs
from tests.unit.contracts.domain.fork_histories import (
    BEGUN,
    FILE,
    GOAL,
    INHERITED_FILE,
    NOW,
    PLAN,
    POLICY,
    RESULT,
    STARTED,
    answered,
    done,
    forked,
    forked_turns,
    suspended,
    turn,
)

Given = Callable[..., Any]


def completed() -> list[Event]:
    end = run.Completed(completed_steps=4, duration_ms=5)
    return [PLAN, STARTED, *done("001", "002", "003", "004", SYNTHESIS), end]


def first_steps(state: run.State) -> tuple[str, ...]:
    """The steps with which an executor starts the run."""
    return next(one.steps for one in run.start(state, "e", NOW, POLICY, llm=True)[1:])  # type: ignore[attr-defined]


def test_a_fork_of_a_suspended_run_inherits_what_is_completed() -> None:
    request, inherited, state = forked(suspended())
    assert [(one.result, one.given) for one in inherited.values()] == [
        ("of 001", False),
        ("of 002", False),
        ("of 003", False),
    ]
    assert (request.trigger, request.goal_id, request.forked_from.run_id) == ("api", "goal_1", "run_0")
    assert state.status is run.Status.PENDING
    assert first_steps(state) == ("004",)


@pytest.mark.parametrize(
    ("changes", "inherited", "first"),
    [
        ({"start": ("002",)}, {"001", "003"}, ("002",)),
        ({"start": ("2",)}, {"001", "003"}, ("002",)),
        ({"start": ("003", "004")}, {"001", "002"}, ("003", "004")),
        ({"start": ("001",)}, set(), ("001",)),
        ({"start": (SYNTHESIS,)}, {"001", "002", "003", "004"}, (SYNTHESIS,)),
        ({"steps": {"002": StepChange(params={"to": "x"})}}, {"001", "003"}, ("002",)),
        ({"steps": {"002": StepChange(result=RESULT)}}, {"001", "002", "003"}, ("004",)),
        ({"steps": {"002": StepChange(result=RESULT)}, "start": ("001",)}, {"002"}, ("001", "004")),
        ({"steps": {"003": StepChange(instruction="think hard")}}, {"001", "002", "004"}, ("003",)),
        (
            {"steps": {SYNTHESIS: StepChange(instruction="be short")}},
            {"001", "002", "003", "004"},
            (SYNTHESIS,),
        ),
        ({"model": "m"}, {"001", "002", "004"}, ("003",)),
        ({"agent": "Poet"}, {"001", "002", "004"}, ("003",)),
        (
            {"model": "m", "steps": {"004": StepChange(result=RESULT)}},
            {"001", "002", "003", "004"},
            (SYNTHESIS,),
        ),
    ],
)
def test_a_fork_inherits_every_completed_step_that_is_not_downstream_of_a_change(
    changes: dict[str, Any], inherited: set[str], first: tuple[str, ...]
) -> None:
    _, kept, state = forked(completed(), **changes)
    assert kept.keys() == inherited
    assert set(first_steps(state)) == set(first)


def test_a_fork_changes_only_the_steps_that_it_runs() -> None:
    changes = {
        "002": StepChange(params={"to": "x"}),
        "003": StepChange(instruction="think hard", agent="Poet"),
        SYNTHESIS: StepChange(instruction="be short"),
    }
    request, _, _ = forked(completed(), steps=changes, provider="openai", model="m")
    calls = [task.tool_or_prompt for task in request.job.sub_tasks]
    assert [(call.name, call.params) for call in calls] == [
        ("read", {"path": "a"}),
        ("send", {"to": "x"}),
        ("Poet", {"prompt": "think hard"}),
        ("write", {"path": "c"}),
    ]
    assert (request.job.synthesis_plan, request.provider, request.model) == ("be short", "openai", "m")
    assert request.forked_from.steps == ("002", "003", SYNTHESIS)


def test_a_fork_runs_to_its_end_and_inherited_results_are_used() -> None:
    state = forked(completed(), start=("004",))[2]
    state = RUN.fold(run.start(state, "e", NOW, POLICY, llm=True), state)
    events, state = run.settle(state, [Success(run.StepCompleted(step="004", result="new"))], NOW, POLICY)
    assert events[-1] == run.StepsStarted(steps=(SYNTHESIS,))
    assert state.done == {"001": "of 001", "002": "of 002", "003": "of 003", "004": "new"}
    report = Success(run.StepCompleted(step=SYNTHESIS, result="r"))
    assert isinstance(run.settle(state, [report], NOW, POLICY).events[-1], run.Completed)


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({}, (), "every step is completed: say what changes"),
        ({"start": ("002x",)}, ("from",), "no step '002x'; did you mean '002'"),
        (
            {"steps": {"9": StepChange(result=RESULT)}},
            ("steps", "9"),
            "it has 001, 002, 003, 004, __SYNTHESIS__",
        ),
        ({"steps": {"002": StepChange()}}, ("steps", "002"), "give params, instruction, agent or result"),
        ({"steps": {"002": StepChange(agent="x")}}, ("steps", "002", "agent"), "calls the tool send"),
        ({"steps": {SYNTHESIS: StepChange(result=RESULT)}}, ("steps", SYNTHESIS), "only the instruction"),
        (
            {"steps": {"002": StepChange(result=RESULT, params={})}},
            ("steps", "002", "result"),
            "give the result alone",
        ),
        (
            {"start": ("002",), "steps": {"002": StepChange(result=RESULT)}},
            ("steps", "002", "result"),
            "leave it out of from",
        ),
        ({"instruction": "x"}, ("instruction",), "only a run by an agent"),
        ({"step_budget": 5}, ("stepBudget",), "only a run by an agent"),
        ({"agent": "x", "start": ("004",)}, ("from",), "no inference runs again"),
    ],
)
def test_changes_that_do_not_fit_the_plan_are_refused(changes: Any, path: Any, why: str) -> None:
    with pytest.raises(run.InvalidFork, match=why) as refused:
        forked(completed(), **changes)
    assert refused.value.path == path


def test_a_step_in_progress_that_must_not_happen_twice_is_not_forked() -> None:
    running = [PLAN, STARTED, *done("001"), run.StepsStarted(steps=("002", "003"))]
    with pytest.raises(run.InvalidFork, match=r"step 002 \(send\) is in progress and must not happen twice"):
        forked(running)
    _, inherited, _ = forked(running, steps={"002": StepChange(result=RESULT)})
    assert inherited.keys() == {"001", "002"}
    reading = [PLAN, STARTED, run.StepsStarted(steps=("001",), effects={"001": Effect.READ})]
    assert first_steps(forked(reading)[2]) == ("001",)
    assert forked([*running, run.Cancelled(reason="enough")])[1].keys() == {"001"}


def test_a_fork_asks_again_what_its_original_asked() -> None:
    asked = run.Asked(
        step="002", attempt=1, kind="approval", title="t", tool="send", params_sha256="x", why="w"
    )
    history = [PLAN, STARTED, *done("001"), run.StepsStarted(steps=("002",)), asked, run.Waiting()]
    state = forked(history)[2]
    assert (state.asks, state.status) == (run.State().asks, run.Status.PENDING)


def test_a_run_is_replaced_once(given: Given) -> None:
    cancelled = run.Cancelled(reason="replaced by run_2", replaced_by="run_2")
    given(RUN, *suspended()).when(run.replace, "run_2", NOW).then_once(cancelled)
    replaced = given(RUN, *suspended(), cancelled)
    replaced.when(run.replace, "run_3", NOW).then_raises(run.InvalidFork, "was replaced by run_2")
    replaced.when(run.resume).then_raises(run.CannotResume, "was replaced by run_2")
    given(RUN, *completed()).when(run.replace, "run_2", NOW).then_raises(
        run.InvalidFork, "nothing to replace"
    )


@pytest.mark.parametrize("history", [[], [*suspended(), run.Cancelled(reason="x"), run.Deleted()]])
def test_a_missing_run_cannot_be_forked(history: list[Event]) -> None:
    with pytest.raises(run.UnknownRun):
        forked(history)


@for_all(st.data())
def test_every_fork_of_a_plan_inherits_what_does_not_depend_on_what_runs_again(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    ids = [f"{n:03}" for n in range(count)]
    needs = {id_: data.draw(st.sets(st.sampled_from(ids[:n]))) if n else set() for n, id_ in enumerate(ids)}
    plan = jobs.job(*(jobs.task(id_, needs=tuple(sorted(needs[id_]))) for id_ in ids), synthesis_plan="x")
    request = run.Requested(dag_id="d", original_request="r", job=plan)
    over = done(*ids[: data.draw(st.integers(0, count))])
    history = [request, STARTED, *over, run.Suspended(reason="x")]
    start = tuple(data.draw(st.sets(st.sampled_from(ids))))

    _, inherited, state = forked(history, start=start)

    completed_before = set(RUN.fold(history).done)
    for id_ in ids:
        above = {id_}
        for other in reversed(ids):
            if other in above:
                above |= needs[other]
        assert (id_ in inherited) == (id_ in completed_before and above.isdisjoint(start))
    assert set(state.ready) == {
        id_
        for id_ in (*ids, SYNTHESIS)
        if id_ not in inherited and set(needs.get(id_, ids)) <= inherited.keys()
    }


def test_inherited_results_are_as_untrusted_as_in_the_original_and_given_ones_are_trusted() -> None:
    outside = run.StepsStarted(steps=("001",), untrusted=("001",))
    made_of_it = run.StepsStarted(steps=("002", "003"), untrusted=("002", "003"))
    results = [run.StepCompleted(step=id_, result="r") for id_ in ("001", "002", "003")]
    history = [PLAN, STARTED, outside, results[0], made_of_it, *results[1:], run.Suspended(reason="x")]
    assert forked(history)[2].untrusted == {"001", "002", "003"}
    changes = {"001": StepChange(result=RESULT), "002": StepChange(result=RESULT)}
    assert forked(history, steps=changes)[2].untrusted == set()

    read = run.StepsStarted(steps=("1.0",), untrusted=("1.0",))
    turns = [GOAL, BEGUN, *turn(1, "read"), read, answered(1, 0)[1], run.Failed(error="x")]
    assert forked_turns(turns)[2].untrusted == {"1.0"}
    assert forked_turns(turns, steps={"1.0": StepChange(result=RESULT)})[2].untrusted == set()


def test_what_inherited_steps_left_outside_is_an_output_of_the_fork() -> None:
    written = [run.StepCompleted(step=step, result="x", output=FILE) for step in ("001", "002")]
    history = [PLAN, STARTED, *written, run.Suspended(reason="broke")]
    _, _, fork = forked(history, start=("002",))
    assert fork.outputs == (INHERITED_FILE,)
    _, _, fork = forked(history, steps={"001": StepChange(result=RESULT)}, start=("002",))
    assert fork.outputs == ()
