"""Events of runs of goals, for tests of turns."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import Failure, OutcomeReason, RunPolicy

Given = Callable[..., Any]

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RunPolicy(backoff_s=1.0)
AGENT = run.AgentUsed(id="agent_1", name="a", version_name="1", prompt_template="p")


def wanted(budget: int = 5) -> run.GoalRequested:
    return run.GoalRequested(goal_id="goal_1", objective="find it", step_budget=budget)


STARTED = run.GoalStarted(executor="a", at=NOW, agent=AGENT, temperature=0.7, max_tokens=100)
REQUESTED = wanted()


def began(*steps: str, retried: tuple[str, ...] = ()) -> run.StepsStarted:
    return run.StepsStarted(steps=steps, retried=retried)


def took(
    turn: int, *calls: str, reason: str = "", attempt: int = 1, problem: str | None = None
) -> run.TurnTaken:
    """A turn with calls of these names; one that begins with `!` is refused."""
    made = tuple(
        run.Call(id=f"c{n}", name=name.strip("!"), refusal="no" if name.startswith("!") else None)
        for n, name in enumerate(calls)
    )
    finish = reason or ("tool_calls" if calls else "stop")
    return run.TurnTaken(
        turn=turn, attempt=attempt, thought="hm", calls=made, finish_reason=finish, problem=problem
    )


def answered(turn: int, position: int, result: Any = "r", attempt: int = 1) -> run.CallAnswered:
    return run.CallAnswered(turn=turn, position=position, attempt=attempt, result=result)


def summarised(text: str = "done") -> run.Summarised:
    return run.Summarised(summary=text)


def failure(step: str, attempt: int = 1, *, retryable: bool = False) -> Failure:
    return Failure(step, attempt, "broke", 5, retryable)


def failed(step: str, attempt: int = 1, retry_at: datetime | None = None) -> run.StepFailed:
    return run.StepFailed(step=step, attempt=attempt, error="broke", duration_ms=5, retry_at=retry_at)


def completed(turns: int, reason: OutcomeReason = "done") -> run.Completed:
    return run.Completed(completed_steps=turns, duration_ms=0, outcome_reason=reason)


def started(*steps: run.TurnTaken | run.CallAnswered | run.StepFailed) -> list[Event]:
    """These ends of steps, each after its start."""
    return [event for step in steps for event in (began(step.step), step)]


BEGUN = (REQUESTED, STARTED, began("1"))


FIRST = (took(1, "a"), answered(1, 0))
FAILED = (took(1, "a"), failed("1.0"))
