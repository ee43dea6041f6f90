"""Event and field names for clients of goal runs."""

from __future__ import annotations

from contracts.domain import dag, run
from gateway.streams.dialect import Dialect, StreamEvent


def _name_step(step: str, number: int | None) -> StreamEvent:
    return {"stepNo": number, "stepId": step}


def _counters(state: run.State) -> tuple[str, ...]:
    """Only a run of a plan counts failed and waiting steps."""
    return ("completed", "failed", "waiting", "budget") if state.request else ("completed", "budget")


def _knows(state: run.State, plan: dag.Requested | None) -> bool:
    return (state.goal_id or (plan and plan.goal_id)) is not None


GOAL_RUNS = Dialect(
    id="runId",
    events={"run.requested": "run.created"},
    fields={
        "request": "objective",
        "total": "stepBudget",
        "budget": "stepBudget",
        "completed": "stepsExecuted",
        "failed": "stepsFailed",
        "waiting": "stepsWaiting",
        "report": "summary",
    },
    unsaid=frozenset(),
    statuses={"cancelled": "failed", "suspended": "failed", "waiting": "running"},
    counters=_counters,
    name_step=_name_step,
    knows=_knows,
)
