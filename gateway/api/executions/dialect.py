"""Event and field names for clients of executions."""

from __future__ import annotations

from contracts.domain import dag, run
from gateway.streams.dialect import Dialect, StreamEvent

LONGEST_NUMBER = 15
"""Number of digits that every JSON parser reads exactly."""


def name_step(step: str, _: int | None = None) -> StreamEvent:
    """Return the id of a step as text, and also as a number if it consists of digits."""
    is_number = step.isascii() and step.isdecimal() and len(step) <= LONGEST_NUMBER
    return {"subStepId": step, "taskId": int(step) if is_number else step}


def _counters(_: run.State) -> tuple[str, ...]:
    return "completed", "failed", "waiting"


def _knows(state: run.State, plan: dag.Requested | None) -> bool:
    return state.request is not None or plan is not None


EXECUTIONS = Dialect(
    id="executionId",
    events={
        "run.requested": "execution.planning",
        "run.asks": "execution.asks",
        "run.planned": "execution.created",
        "run.inherited": "execution.inherited",
        "run.started": "execution.started",
        "run.updated": "execution.updated",
        "run.suspended": "execution.suspended",
        "run.resumed": "execution.resumed",
        "run.completed": "execution.completed",
        "run.failed": "execution.failed",
        "run.deleted": "execution.deleted",
        "step.started": "substep.started",
        "step.completed": "substep.completed",
        "step.retrying": "substep.retrying",
        "step.failed": "substep.failed",
    },
    fields={
        "request": "originalRequest",
        "total": "totalTasks",
        "completed": "completedTasks",
        "failed": "failedTasks",
        "waiting": "waitingTasks",
        "report": "finalResult",
    },
    unsaid=frozenset({"goalId", "strategy", "budget"}),
    statuses={"cancelled": "failed"},
    counters=_counters,
    name_step=name_step,
    knows=_knows,
    with_counters=frozenset({"run.requested"}),
)
