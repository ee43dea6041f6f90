"""Forks: what a run inherits from another one, what it runs again, and which changes are refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.memory import Kind, Memory
from contracts.domain.run import RUN, Changes, RunPolicy, StepChange, Success
from contracts.domain.run.steps import SYNTHESIS
from tests import jobs

Given = Callable[..., Any]

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RunPolicy()
ORIGIN = run.ForkedFrom(run_id="run_0")
RESULT = run.Given("by hand")

# 1 → 2 → 4, 1 → 3 (inference), then the report
PLAN = run.Requested(
    dag_id="d",
    original_request="do it",
    goal_id="goal_1",
    trigger="schedule",
    job=jobs.job(
        jobs.task("001", "read", {"path": "a"}),
        jobs.task("002", "send", {"to": "b"}, needs=("001",)),
        jobs.task("003", "inference", {"prompt": "think"}, needs=("001",)),
        jobs.task("004", "write", {"path": "c"}, needs=("002",)),
        synthesis_plan="sum up",
    ),
)
STARTED = run.Started(executor="e", at=NOW, synthesis="llm")


def done(*steps: str) -> list[Event]:
    return [
        event
        for step in steps
        for event in (
            run.StepsStarted(steps=(step,)),
            run.StepCompleted(step=step, result=f"of {step}", cost_usd="0.5"),
        )
    ]


def suspended() -> list[Event]:
    failed = run.StepFailed(step="004", attempt=1, error="broke")
    steps = [*done("001", "002", "003"), run.StepsStarted(steps=("004",)), failed]
    return [PLAN, STARTED, *steps, run.Suspended(reason="broke")]


def completed() -> list[Event]:
    end = run.Completed(completed_steps=4, duration_ms=5)
    return [PLAN, STARTED, *done("001", "002", "003", "004", SYNTHESIS), end]


def forked(history: Sequence[Event], **changes: Any) -> tuple[Any, dict[str, run.InheritedStep], run.State]:
    """The request of a fork, what it inherits, and its state."""
    request, inherited = run.fork(RUN.fold(history), Changes(**changes), ORIGIN, NOW)
    assert isinstance(inherited, run.Inherited)
    return request, {one.step: one for one in inherited.steps}, RUN.fold([request, inherited])


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


# ── runs by an agent ────────────────────────────────────────────────────────────────────────────────────

MEMORIES = (Memory(type=Kind.FACT, content="it rains", run_id="run_x"),)
GOAL = run.GoalRequested(
    goal_id="goal_1",
    objective="find it",
    step_budget=5,
    trigger="schedule",
    schedule_id="s",
    agent_id="agent_1",
)
AGENT = run.AgentUsed(id="agent_1", name="a", version_name="1", prompt_template="p")
BEGUN = run.GoalStarted(executor="e", at=NOW, agent=AGENT, temperature=0.7, max_tokens=100, memories=MEMORIES)


def turn(number: int, *calls: str) -> list[Event]:
    made = tuple(
        run.Call(
            id=f"c{n}",
            name=name.strip("!"),
            arguments={"n": n},
            refusal="no" if name.startswith("!") else None,
        )
        for n, name in enumerate(calls)
    )
    taken = run.TurnTaken(
        turn=number,
        thought=f"t{number}",
        calls=made,
        finish_reason="tool_calls" if calls else "stop",
        cost_usd="1",
    )
    return [run.StepsStarted(steps=(str(number),)), taken]


def answered(number: int, position: int) -> list[Event]:
    step = f"{number}.{position}"
    answer = run.CallAnswered(turn=number, position=position, result=f"r{step}")
    return [run.StepsStarted(steps=(step,)), answer]


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


FILE = run.Output(kind="file", content="a.md")
INHERITED_FILE = FILE.model_copy(update={"inherited": True})


def test_what_inherited_steps_left_outside_is_an_output_of_the_fork() -> None:
    written = [run.StepCompleted(step=step, result="x", output=FILE) for step in ("001", "002")]
    history = [PLAN, STARTED, *written, run.Suspended(reason="broke")]
    _, _, fork = forked(history, start=("002",))
    assert fork.outputs == (INHERITED_FILE,)
    _, _, fork = forked(history, steps={"001": StepChange(result=RESULT)}, start=("002",))
    assert fork.outputs == ()


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


def forked_turns(history: Sequence[Event], **changes: Any) -> tuple[Any, run.Inherited, run.State]:
    request, inherited = run.fork(RUN.fold(history), Changes(**changes), ORIGIN, NOW)
    assert isinstance(inherited, run.Inherited)
    return request, inherited, RUN.fold([request, inherited])


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
