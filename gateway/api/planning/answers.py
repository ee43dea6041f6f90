"""Answers to planning requests. This module does no I/O."""

from __future__ import annotations

from contracts.api.fields import tokens_of
from contracts.core.event import Event, Json
from contracts.domain import dag
from contracts.domain.plan import Job

STARTED = "DAG created and execution started. Connect to SSE stream for live updates."

StatusAndBody = tuple[int, dict[str, Json]]
"""HTTP status and body."""


def answer(dag_id: str, state: dag.State, outcome: Event) -> StatusAndBody:
    """Return the answer to a planning request. `outcome` is the event that ended planning."""
    run_id = state.request.run_id if state.request else None
    failed = {"status": "failed"} if run_id else {}
    match outcome:
        case dag.Planned(job=job) if run_id:
            return 202, _executing(dag_id, run_id, state, job)
        case dag.Planned(job=job):
            return 200, _planned(dag_id, state, job)
        case dag.ClarificationAsked():
            return 200, _clarification(dag_id, state, outcome)
        case dag.Rejected(http_status=status, error=error, details=details):
            return status, {**failed, "error": error, **details, "dagId": dag_id}
    return 409, {**failed, "error": "The DAG was deleted while it was being planned", "dagId": dag_id}


def _executing(dag_id: str, run_id: str, state: dag.State, job: Job) -> dict[str, Json]:
    return {
        "status": "executing",
        "dagId": dag_id,
        "executionId": run_id,
        "originalRequest": state.goal_text,
        "totalTasks": len(job.sub_tasks),
        **_last_attempt(state),
        "message": STARTED,
    }


def _planned(dag_id: str, state: dag.State, job: Job) -> dict[str, Json]:
    told: dict[str, Json] = {"status": "success", "dagId": dag_id}
    if job.is_complete:
        return told
    return {**told, "result": job.as_json(), **_last_attempt(state), "attempts": len(_tries(state))}


def _clarification(dag_id: str, state: dag.State, asked: dag.ClarificationAsked) -> dict[str, Json]:
    return {
        "status": "clarification_required",
        "dagId": dag_id,
        "clarification_query": asked.query,
        "result": asked.job.as_json(),
        **_last_attempt(state),
    }


def _last_attempt(state: dag.State) -> dict[str, Json]:
    tries = _tries(state)
    last = tries[-1] if tries else None
    return {
        "usage": tokens_of(last.usage) if last else None,
        "generation_stats": last.generation_stats if last else None,
    }


def _tries(state: dag.State) -> list[dag.AttemptMade]:
    return [attempt for attempt in state.attempts if attempt.reason != dag.TITLE_ATTEMPT]
