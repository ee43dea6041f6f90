"""Forks of runs by an agent: which turns they inherit, and which changes are refused."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.domain import run
from contracts.domain.run import RUN, Changes, StepChange
from tests.unit.contracts.domain.fork_histories import (
    BEGUN,
    FILE,
    GOAL,
    INHERITED_FILE,
    MEMORIES,
    NOW,
    ORIGIN,
    POLICY,
    RESULT,
    answered,
    forked_turns,
    turn,
)

PURSUED = (
    GOAL,
    BEGUN,
    *turn(1, "read", "!no"),
    *answered(1, 0),
    *turn(2, "send", "read"),
    *answered(2, 0),
    *answered(2, 1),
    *turn(3),
)
FINISHED = (
    *PURSUED,
    run.StepsStarted(steps=("summary",)),
    run.Summarised(summary="done"),
    run.Completed(completed_steps=3, duration_ms=1, outcome_reason="done"),
)


def test_what_inherited_calls_left_outside_is_an_output_of_the_fork() -> None:
    answer = run.CallAnswered(turn=1, position=0, result="x", output=FILE)
    history = [GOAL, BEGUN, *turn(1, "write"), run.StepsStarted(steps=("1.0",)), answer, *turn(2)]
    _, inherited, fork = forked_turns(history, start=("2",))
    assert fork.loop
    assert fork.loop.turns[0].answers[0].output == INHERITED_FILE
    again = run.fork(fork, Changes(start=("2",)), ORIGIN, NOW)[1]
    assert again == inherited
    assert (
        forked_turns(history, steps={"1.0": StepChange(result=RESULT)})[1].turns[0].answers[0].output is None
    )


@pytest.mark.parametrize(
    ("changes", "turns", "ready"),
    [
        ({"start": ("1",)}, 0, ("1",)),
        ({"start": ("2",)}, 1, ("2",)),
        ({"start": ("3",)}, 2, ("3",)),
        ({"start": ("summary",)}, 3, ("summary",)),
        ({"instruction": "find more"}, 2, ("3",)),
        ({"model": "m"}, 2, ("3",)),
        ({"steps": {"1.0": StepChange(params={"n": 7})}}, 1, ("1.0",)),
        ({"steps": {"2.1": StepChange(params={"n": 7})}}, 2, ("2.1",)),
        ({"steps": {"2.0": StepChange(result=RESULT)}}, 2, ("3",)),
        ({"steps": {"1.1": StepChange(result=RESULT)}}, 1, ("2",)),
    ],
)
def test_a_fork_of_an_agents_run_inherits_the_turns_before_the_change(
    changes: dict[str, Any], turns: int, ready: tuple[str, ...]
) -> None:
    request, inherited, state = forked_turns(FINISHED, **changes)
    assert (len(inherited.turns), inherited.memories, state.ready) == (turns, MEMORIES, ready)
    assert (request.trigger, request.schedule_id, request.forked_from.run_id) == ("api", None, "run_0")
    first = run.start_goal(state, BEGUN, POLICY)
    assert first[1:] == [run.StepsStarted(steps=ready)]
    loop = RUN.fold(first, state).loop
    assert loop
    assert loop.memories == MEMORIES


def test_a_fork_of_an_agents_run_has_the_changed_call_and_the_other_results() -> None:
    steps = {"2.1": StepChange(params={"n": 7})}
    request, _, state = forked_turns(
        FINISHED, steps=steps, instruction="more", step_budget=9, agent="agent_2"
    )
    assert (request.objective, request.step_budget, request.agent_id) == ("more", 9, "agent_2")
    assert state.loop
    last = state.loop.turns[-1]
    assert last.taken.calls[1].arguments == {"n": 7}
    assert last.answers.keys() == {0}
    assert state.graph.steps["2.1"].task.tool_or_prompt.params == {"n": 7}
    assert request.forked_from.steps == ("2.1",)


def test_a_run_that_used_all_its_turns_goes_on_in_a_fork_with_more() -> None:
    short = GOAL.model_copy(update={"step_budget": 1})
    spent = (short, BEGUN, *turn(1, "read"), *answered(1, 0), run.Completed(completed_steps=1, duration_ms=1))
    with pytest.raises(run.InvalidFork, match="inherits 1 turns: give at least 2"):
        forked_turns(spent, step_budget=1)
    _, inherited, state = forked_turns(spent, step_budget=2)
    assert (len(inherited.turns), state.ready) == (1, ("2",))


def test_a_call_that_a_failed_run_left_unfinished_is_not_made_again_by_its_fork() -> None:
    history = (GOAL, BEGUN, *turn(1, "send"), run.StepsStarted(steps=("1.0",)))
    with pytest.raises(run.InvalidFork, match=r"1\.0 \(send\) is in progress"):
        forked_turns(history)
    _, inherited, state = forked_turns((*history, run.Failed(error="executors died")))
    assert "whether it took effect is unknown" in (inherited.turns[0].answers[0].error or "")
    assert state.ready == ("2",)


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({}, (), "the agent has finished: say what changes"),
        ({"start": ("9",)}, ("from",), "'9' is no turn of the run: give a turn from 1 to 4, or 'summary'"),
        ({"start": ("1.0",)}, ("from",), "is no turn"),
        ({"start": ("1", "2")}, ("from",), "is no turn"),
        ({"steps": {"5.0": StepChange(result=RESULT)}}, ("steps", "5.0"), "no step '5.0'"),
        ({"steps": {"2.0": StepChange(agent="x")}}, ("steps", "2.0"), "either params or the result"),
        ({"steps": {"1.1": StepChange(params={})}}, ("steps", "1.1", "params"), "the call was refused"),
        (
            {"steps": {"1.0": StepChange(result=RESULT), "2.0": StepChange(result=RESULT)}},
            ("steps",),
            "calls of one turn only",
        ),
        ({"start": ("2",), "steps": {"1.0": StepChange(result=RESULT)}}, ("from",), "not both"),
    ],
)
def test_changes_that_do_not_fit_the_turns_are_refused(changes: Any, path: Any, why: str) -> None:
    with pytest.raises(run.InvalidFork, match=why) as refused:
        forked_turns(FINISHED, **changes)
    assert refused.value.path == path


def test_a_run_by_an_agent_that_never_started_can_be_forked() -> None:
    _, inherited, state = forked_turns((GOAL, run.Failed(error="no model")), model="m")
    assert (inherited.turns, inherited.memories, state.ready) == ((), None, ("1",))
