"""Compares two executions or runs, step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
from aiohttp import web
from sqlalchemy import bindparam, select

from contracts.api.compare import (
    ComparedResult,
    ComparedRun,
    ComparedStep,
    CompareQuery,
    Comparison,
    Difference,
    StepComparison,
)
from contracts.api.costs import TokenUsage
from contracts.core.event import BlobRef
from contracts.core.scopes import Scope
from contracts.domain.run.steps import SYNTHESIS, as_text
from contracts.views import runs
from gateway.api.compare.diffs import EQUAL, LONGEST_TEXT, Diffs
from gateway.api.runs import queries
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply
from gateway.views.reader import Row
from gateway.views.results import stored_value

INVALID = "Invalid query parameters"
STATUS = {"cancelled": "failed"}

_RUN = select(runs).where(runs.c.id == bindparam("run_id"))

Pair = tuple[Row | None, Row | None]


@dataclass(frozen=True, slots=True)
class Side:
    """A run and its steps."""

    run: Row
    steps: Mapping[str, Row]


@endpoint(
    "GET",
    "/api/v1/compare",
    summary="Compare two executions or runs",
    tag="executions",
    scope=Scope.READ,
    query=CompareQuery,
    responses={200: Comparison},
    invalid=INVALID,
    errors={404: "There is no execution or run with one of the ids."},
)
async def compare_runs(call: Call[None, CompareQuery]) -> web.StreamResponse:
    """Compares status, duration, cost, tokens and result of each step, and the totals.

    Steps with the same id are compared: of plans, the ids of the plan; of agents, turns (`3`) and tool calls
    (`3.0`). Results that differ have a unified diff.
    """
    a, b = await _side(call.gateway, "a", call.query.a), await _side(call.gateway, "b", call.query.b)
    diffs = Diffs()
    steps = [await _step(call.gateway, diffs, pair) for pair in _pairs(a, b)]
    verdicts = [one.result.verdict for one in steps]
    return json_reply(
        Comparison(
            a=_run(a.run),
            b=_run(b.run),
            difference=_difference(a.run, b.run),
            equal_results=verdicts.count("equal"),
            different_results=verdicts.count("different"),
            steps=steps,
            report=await _report(call.gateway, diffs, a, b),
        )
    )


ENDPOINTS = (compare_runs,)


async def _side(gateway: Gateway, name: str, run_id: str) -> Side:
    run = await gateway.views.first(_RUN, run_id=run_id)
    if run is None:
        raise Refusal(404, f"{name}: there is no execution or run with the id {run_id[:100]!r}")
    return Side(run, {row["step_step"]: row for row in await queries.steps(gateway, run_id)})


def _pairs(a: Side, b: Side) -> Sequence[Pair]:
    """The steps of both sides, in the order of the plan or of the turns."""
    places = {id_: _place(row) for side in (b, a) for id_, row in side.steps.items()}
    return [
        (a.steps.get(id_), b.steps.get(id_)) for id_ in sorted(places, key=lambda id_: (places[id_], id_))
    ]


def _place(row: Row) -> tuple[bool, int, int]:
    position = -1 if row["step_position"] is None else row["step_position"]
    return row["step_step"] == SYNTHESIS, row["step_number"], position


async def _step(gateway: Gateway, diffs: Diffs, pair: Pair) -> StepComparison:
    shown = next(row for row in reversed(pair) if row is not None)
    a, b = pair
    return StepComparison(
        step=shown["step_step"],
        description=shown["step_description"],
        name=shown["step_name"],
        a=a and _compared(a),
        b=b and _compared(b),
        result=await _result(gateway, diffs, _stored(a), _stored(b)),
    )


def _stored(row: Row | None) -> str | None:
    """The stored result of a step; of a turn, what the agent said."""
    if row is None:
        return None
    is_turn = row["step_position"] is None and not row["step_name"]
    stored: str | None = _as_json(row["step_thought"]) if is_turn else row["step_result"]
    return stored


def _as_json(text: str | None) -> str | None:
    return None if text is None else orjson.dumps(text).decode()


async def _result(gateway: Gateway, diffs: Diffs, a: str | None, b: str | None) -> ComparedResult:
    """Compare two stored results. Equal ones are not fetched."""
    if a is not None and a == b:
        return EQUAL
    if a is not None and b is not None and (_is_large(a) or _is_large(b)):
        return ComparedResult(verdict="different", diff=None, truncated=True)
    texts = [await _text(gateway, one) for one in (a, b)]
    return await asyncio.to_thread(diffs.of, *texts)


async def _text(gateway: Gateway, stored: str | None) -> str | None:
    """A stored result as text with a line for each part, so that a diff shows what differs."""
    return None if stored is None else as_text(await stored_value(stored, gateway.blobs))


def _is_large(stored: str) -> bool:
    """Whether a stored result is in the object store and too large to be compared line by line."""
    if not stored.startswith('{"$blob":'):
        return False
    ref = BlobRef.of(orjson.loads(stored))
    return ref is not None and ref.size > LONGEST_TEXT


async def _report(gateway: Gateway, diffs: Diffs, a: Side, b: Side) -> ComparedResult:
    return await _result(gateway, diffs, _stored_report(a), _stored_report(b))


def _stored_report(side: Side) -> str | None:
    report = side.steps.get(SYNTHESIS)
    stored: str | None = report["step_result"] if report else _as_json(side.run["summary"])
    return stored


def _run(row: Row) -> ComparedRun:
    return ComparedRun(
        id=row["id"],
        kind="run" if row["strategy"] == "agent" else "execution",
        title=row["dag_title"] or row["request"][:200],
        status=STATUS.get(row["status"], row["status"]),
        forked_from=row["forked_from"],
        started_at=row["started_at"],
        completed_at=row["ended_at"],
        duration_ms=row["duration_ms"],
        total_steps=row["total_steps"],
        completed_steps=row["completed_steps"],
        total_usage=TokenUsage.of(row["prompt_tokens"], row["completion_tokens"]),
        total_cost_usd=row["cost_pico"],
        model=row["model"],
    )


def _compared(row: Row) -> ComparedStep:
    return ComparedStep(
        status=row["step_status"],
        attempt=row["step_attempt"],
        inherited=row["step_inherited"],
        duration_ms=row["step_duration_ms"],
        usage=TokenUsage.of(row["step_prompt_tokens"], row["step_completion_tokens"]),
        cost_usd=row["step_cost_pico"],
        model=row["step_model"],
        error=row["step_error"],
    )


def _difference(a: Row, b: Row) -> Difference:
    return Difference(
        duration_ms=_less(b["duration_ms"], a["duration_ms"]),
        total_tokens=_less(_tokens(b), _tokens(a)),
        cost_usd=_less(b["cost_pico"], a["cost_pico"]),
    )


def _tokens(row: Row) -> int | None:
    usage = TokenUsage.of(row["prompt_tokens"], row["completion_tokens"])
    return usage.total_tokens if usage else None


def _less(b: int | None, a: int | None) -> int | None:
    return None if a is None or b is None else b - a
