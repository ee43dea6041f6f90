"""Runs of goals: their rows, turns, tool calls and outputs."""

from __future__ import annotations

import hashlib
import re
from typing import Any

import orjson
from sqlalchemy import delete, func, update

from contracts.core.spent import Charged
from contracts.domain import dag, run, webhook
from contracts.views import goal_calls, goal_runs, goal_steps, outputs
from projector.changes import Changes
from projector.fold import Fact, Fold, milliseconds, spent

fold = Fold()

_CALL = re.compile(r"(?P<turn>[0-9]{1,9})\.(?P<position>[0-9]{1,9})")
"""A step that may be the call of a turn. One of a plan may look like it, of more digits than fit a column."""


@fold.on(run.GoalRequested)
def requested(changes: Changes, fact: Fact, event: run.GoalRequested) -> None:
    """A pending run."""
    row = _new_row(fact, event.goal_id, "agent", event.trigger)
    row |= {
        "schedule_id": event.schedule_id,
        "step_budget": event.step_budget,
        "agent_id": event.agent_id,
    }
    changes.insert(goal_runs, row)


@fold.on(run.GoalStarted)
def started(changes: Changes, fact: Fact, event: run.GoalStarted) -> None:
    """An executor has it, and what it is run with is known."""
    used = event.agent
    values = {
        "status": "running",
        "started_at": milliseconds(event.at),
        "remarks": list(event.remarks) or None,
        "agent_id": used.id,
        "agent_name": used.name,
        "agent_version": used.version_name,
        "prompt_sha256": hashlib.sha256(used.prompt_template.encode()).hexdigest(),
    }
    _run(changes, fact, values)


@fold.on(run.TurnTaken)
def turn_taken(changes: Changes, fact: Fact, event: run.TurnTaken) -> None:
    """One more turn; its calls are on their way."""
    changes.insert(
        goal_steps,
        {
            "run_id": fact.id,
            "step_no": event.turn,
            "id": f"step_{_suffix(fact.id)}-{event.turn}",
            "thought": event.thought,
            "finish_reason": event.finish_reason,
            "duration_ms": event.duration_ms,
            "prompt_tokens": event.usage.prompt_tokens if event.usage else None,
            "completion_tokens": event.usage.completion_tokens if event.usage else None,
            "cost_usd": event.cost_usd,
            "provider": event.provider,
            "model": event.model,
            "generation_stats": event.generation_stats,
            "created_at": fact.at,
        },
    )
    for position, call in enumerate(event.calls):
        changes.insert(goal_calls, _call_row(fact, event.turn, position, call))
    values = {"provider": event.provider, "model": event.model}
    _run(changes, fact, values, {"steps_executed": 1, **spent(event)})


@fold.on(run.CallAnswered)
def call_answered(changes: Changes, fact: Fact, event: run.CallAnswered) -> None:
    """A tool call has its result."""
    values = {
        "status": "completed",
        "result": event.result,
        "error": None,
        "duration_ms": event.duration_ms,
        "updated_at": fact.at,
    }
    changes.update(goal_calls, (fact.id, event.turn, event.position), values)
    if event.output:
        _output(changes, fact, event.step, event.output.kind, event.output.content)
    _run(changes, fact, {})


@fold.on(run.StepFailed)
def step_failed(changes: Changes, fact: Fact, event: run.StepFailed) -> None:
    """An attempt failed, at some cost perhaps. Whether the run is one of a goal, only the row knows."""
    cost = {name: more for name, more in _beside_steps(event).items() if more}
    if cost:
        by_turns = (goal_runs.c.id == fact.id) & (goal_runs.c.strategy == "agent")
        sums = {name: func.coalesce(goal_runs.c[name], 0) + more for name, more in cost.items()}
        changes.execute(update(goal_runs).where(by_turns).values(sums))
    call = _CALL.fullmatch(event.step)
    if call is None:
        return
    values = {
        "status": "waiting" if event.retry_at else "failed",
        "error": event.error,
        "duration_ms": event.duration_ms,
        "updated_at": fact.at,
    }
    changes.update(goal_calls, (fact.id, int(call["turn"]), int(call["position"])), values)


@fold.on(run.Summarised)
def summarised(changes: Changes, fact: Fact, event: run.Summarised) -> None:
    """The final answer, and what it cost."""
    _output(changes, fact, event.step, "summary", event.summary)
    _run(changes, fact, {"summary": event.summary}, _beside_steps(event))


@fold.on(run.GoalCompleted)
def completed(changes: Changes, fact: Fact, event: run.GoalCompleted) -> None:
    """The end."""
    values = {"status": "completed", "ended_at": fact.at, "outcome_reason": event.outcome_reason}
    _run(changes, fact, values)


@fold.on(run.Failed)
def failed(changes: Changes, fact: Fact, event: run.Failed) -> None:
    """The end, and why."""
    _stop_calls(changes, fact, event.error)
    _run(changes, fact, {"status": "failed", "ended_at": fact.at, "error": event.error})


@fold.on(run.Cancelled)
def cancelled(changes: Changes, fact: Fact, event: run.Cancelled) -> None:
    """Called off; calls in progress did not finish."""
    _stop_calls(changes, fact, f"cancelled: {event.reason}")
    values = {"status": "cancelled", "ended_at": fact.at, "cancelled_reason": event.reason}
    _run(changes, fact, values)


@fold.on(run.Deleted)
def deleted(changes: Changes, fact: Fact, _: run.Deleted) -> None:
    """Gone, with its turns, calls and outputs."""
    changes.execute(delete(goal_runs).where(goal_runs.c.id == fact.id))
    for table in (goal_steps, goal_calls, outputs):
        changes.execute(delete(table).where(table.c.run_id == fact.id))


@fold.on(webhook.Delivered)
def delivered(changes: Changes, fact: Fact, event: webhook.Delivered) -> None:
    """The goal's webhook was told."""
    _told(changes, fact, event.ending, {"url": event.url, "status": event.status, "success": True})


@fold.on(webhook.AttemptFailed)
def attempt_failed(changes: Changes, fact: Fact, event: webhook.AttemptFailed) -> None:
    """The goal's webhook could not be told, for good."""
    if event.retry_at is None:
        _told(changes, fact, event.ending, {"url": event.url, "success": False, "error": event.error})


# ── runs by a plan ──────────────────────────────────────────────────────────────────────────────────────


@fold.on(dag.Requested)
def plan_requested(changes: Changes, fact: Fact, event: dag.Requested) -> None:
    """A run of a goal that begins with a plan; from then on it is an execution like any other."""
    if event.goal_id and event.run_id:
        row = _new_row(fact, event.goal_id, "dag", event.trigger)
        changes.insert(goal_runs, row | {"id": event.run_id, "dag_id": fact.id})


@fold.on(dag.Rejected)
def plan_rejected(changes: Changes, fact: Fact, event: dag.Rejected) -> None:
    """There is no plan, so there will be no run."""
    _without_plan(changes, fact, event.error)


@fold.on(dag.Deleted)
def plan_deleted(changes: Changes, fact: Fact, _: dag.Deleted) -> None:
    """The plan that was to become a run is gone."""
    _without_plan(changes, fact, "its plan was deleted")


def _without_plan(changes: Changes, fact: Fact, error: str) -> None:
    waiting = (goal_runs.c.dag_id == fact.id) & (goal_runs.c.status == "pending")
    values = {"status": "failed", "error": error, "ended_at": fact.at, "updated_at": fact.at, "seq": fact.seq}
    changes.execute(update(goal_runs).where(waiting).values(values))


# ── rows ────────────────────────────────────────────────────────────────────────────────────────────────


def _new_row(fact: Fact, goal_id: str, strategy: str, trigger: str) -> dict[str, Any]:
    return {
        "id": fact.id,
        "goal_id": goal_id,
        "strategy": strategy,
        "trigger": trigger,
        "status": "pending",
        "steps_executed": 0,
        "created_at": fact.at,
        "updated_at": fact.at,
        "seq": fact.seq,
    }


def _beside_steps(event: Charged) -> dict[str, int | None]:
    """What a call of a model adds to the run that is in none of its turns."""
    added = spent(event)
    return {**added, "other_cost_pico": added["cost_pico"]}


def _call_row(fact: Fact, turn: int, position: int, call: run.Call) -> dict[str, Any]:
    return {
        "run_id": fact.id,
        "step_no": turn,
        "position": position,
        "call_id": call.id,
        "tool": call.name,
        "arguments": call.arguments,
        "status": "failed" if call.refusal else "running",
        "error": call.refusal,
        "created_at": fact.at,
        "updated_at": fact.at,
    }


def _run(
    changes: Changes, fact: Fact, values: dict[str, Any], add: dict[str, int | None] | None = None
) -> None:
    changes.update(goal_runs, (fact.id,), {**values, "updated_at": fact.at, "seq": fact.seq}, add)


def _stop_calls(changes: Changes, fact: Fact, error: str) -> None:
    unanswered = (goal_calls.c.run_id == fact.id) & goal_calls.c.status.in_(("running", "waiting"))
    values = {"status": "failed", "error": error, "updated_at": fact.at}
    changes.execute(update(goal_calls).where(unanswered).values(values))


def _told(changes: Changes, fact: Fact, ending: int, payload: dict[str, Any]) -> None:
    step = f"end-{ending}" if ending else "end"
    _output(changes, fact, step, "webhook", orjson.dumps(payload).decode())


def _output(changes: Changes, fact: Fact, step: str, kind: str, content: str) -> None:
    changes.insert(
        outputs,
        {
            "id": f"output_{_suffix(fact.id)}-{step}",
            "run_id": fact.id,
            "kind": kind,
            "path_or_payload": content,
            "created_at": fact.at,
        },
    )


def _suffix(run_id: str) -> str:
    return run_id.rpartition("_")[2]
