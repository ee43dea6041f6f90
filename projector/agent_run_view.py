"""Folds events that only agent runs have: turns, tool calls, the summary and webhook deliveries."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from contracts.domain import run, webhook
from contracts.views import run_steps, runs
from projector.changes import Changes
from projector.fold import EventMeta, Fold, milliseconds, spent
from projector.run_rows import (
    IN_PROGRESS,
    REPORT_START,
    add_output,
    change,
    limits,
    new_run,
    new_step,
    result_of,
    stop_steps,
    suffix,
)

fold = Fold()


@fold.on(run.GoalRequested)
def goal_requested(changes: Changes, meta: EventMeta, event: run.GoalRequested) -> None:
    """Insert a pending agent run."""
    row = new_run(
        meta,
        strategy="agent",
        goal_id=event.goal_id,
        own_plan=False,
        request=event.objective,
        trigger=event.trigger,
        schedule_id=event.schedule_id,
        total_steps=event.step_budget,
        agent_id=event.agent_id,
        forked_from=event.forked_from and event.forked_from.run_id,
        **limits(event),
    )
    changes.insert(runs, row)


@fold.on(run.GoalStarted)
def started(changes: Changes, meta: EventMeta, event: run.GoalStarted) -> None:
    """Set the run to running and store its agent."""
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
    change(changes, meta, values)


@fold.on(run.TurnTaken)
def turn_taken(changes: Changes, meta: EventMeta, event: run.TurnTaken) -> None:
    """Insert a row for the turn and one for each of its tool calls."""
    cost = spent(event)
    turn = {
        "attempt": event.attempt,
        "duration_ms": event.duration_ms,
        "provider": event.provider,
        "model": event.model,
        "generation_stats": event.generation_stats,
        **cost,
    }
    changes.insert(run_steps, turn_row(meta, event.turn, event.thought, event.finish_reason) | turn)
    for position, call in enumerate(event.calls):
        changes.insert(run_steps, call_row(meta, event.turn, position, call))
    values: dict[str, Any] = {"provider": event.provider, "model": event.model}
    refused = [call for call in event.calls if call.refusal]
    if refused:
        values["call_error"] = f"{refused[-1].name}: {refused[-1].refusal}"
    change(changes, meta, values, {"completed_steps": 1, "failed_calls": len(refused), **cost})


@fold.on(run.CallAnswered)
def call_answered(changes: Changes, meta: EventMeta, event: run.CallAnswered) -> None:
    """Store the result of a tool call."""
    changes.update(run_steps, (meta.id, event.step), result_of(meta, event))
    if event.output:
        add_output(changes, meta, event.step, event.output)
    change(changes, meta)


@fold.on(run.Summarised)
def summarised(changes: Changes, meta: EventMeta, event: run.Summarised) -> None:
    """Store the final answer and its cost."""
    add_output(changes, meta, event.step, run.Output(kind="summary", content=event.summary))
    cost = spent(event)
    values = {"summary": event.summary, "report_start": event.summary[:REPORT_START]}
    change(changes, meta, values, {**cost, "other_cost_pico": cost["cost_pico"]})


@fold.on(run.Failed)
def failed(changes: Changes, meta: EventMeta, event: run.Failed) -> None:
    """Set the run and its tool calls in progress to failed."""
    stop_steps(changes, meta, IN_PROGRESS, "failed", error=event.error, completed_at=meta.at)
    change(changes, meta, {"status": "failed", "ended_at": meta.at, "error": event.error})


@fold.on(webhook.Delivered)
def delivered(changes: Changes, meta: EventMeta, event: webhook.Delivered) -> None:
    """Add the webhook delivery to the outputs of the run."""
    _add_delivery(changes, meta, event, {"url": event.url, "status": event.status, "success": True})


@fold.on(webhook.AttemptFailed)
def attempt_failed(changes: Changes, meta: EventMeta, event: webhook.AttemptFailed) -> None:
    """Add a failed webhook delivery to the outputs of the run, unless it is retried."""
    if event.retry_at is None:
        payload = {"url": event.url, "success": False, "error": event.error}
        _add_delivery(changes, meta, event, payload)


def turn_row(meta: EventMeta, number: int, thought: str, finish_reason: str) -> dict[str, Any]:
    """The row of a turn that the model has answered."""
    return new_step(
        meta,
        str(number),
        number,
        id=f"step_{suffix(meta.id)}-{number}",
        thought=thought,
        status="completed",
        completed_at=meta.at,
        finish_reason=finish_reason,
    )


def call_row(meta: EventMeta, turn: int, position: int, call: run.Call) -> dict[str, Any]:
    """The row of a tool call that has not ended, or was refused."""
    return new_step(
        meta,
        run.call_step(turn, position),
        turn,
        position=position,
        id=call.id,
        action_type="tool",
        name=call.name,
        params=call.arguments,
        status="failed" if call.refusal else "running",
        error=call.refusal,
    )


def _add_delivery(
    changes: Changes,
    meta: EventMeta,
    event: webhook.Delivered | webhook.AttemptFailed,
    payload: dict[str, Any],
) -> None:
    run_id, step = meta.id, f"end-{event.ending}" if event.ending else "end"
    if event.ask:
        run_id, asked, attempt = run.parse_ask_id(event.ask)
        step, payload = f"asked-{asked}-{attempt}", {**payload, "ask": event.ask}
    left = run.Output(kind="webhook", content=orjson.dumps(payload).decode())
    add_output(changes, meta, step, left, run_id=run_id)
