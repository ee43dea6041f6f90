"""Histories of runs that are forked, and forks of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.memory import Kind, Memory
from contracts.domain.run import RUN, Changes, RunPolicy
from tests import jobs

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


def forked(history: Sequence[Event], **changes: Any) -> tuple[Any, dict[str, run.InheritedStep], run.State]:
    """The request of a fork, what it inherits, and its state."""
    request, inherited = run.fork(RUN.fold(history), Changes(**changes), ORIGIN, NOW)
    assert isinstance(inherited, run.Inherited)
    return request, {one.step: one for one in inherited.steps}, RUN.fold([request, inherited])


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


FILE = run.Output(kind="file", content="a.md")
INHERITED_FILE = FILE.model_copy(update={"inherited": True})


def forked_turns(history: Sequence[Event], **changes: Any) -> tuple[Any, run.Inherited, run.State]:
    request, inherited = run.fork(RUN.fold(history), Changes(**changes), ORIGIN, NOW)
    assert isinstance(inherited, run.Inherited)
    return request, inherited, RUN.fold([request, inherited])
