"""Reads the steps and outputs of runs of goals."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from sqlalchemy import Text, bindparam, cast, select

from contracts.domain.run.steps import SYNTHESIS
from contracts.views import outputs, run_steps
from gateway.api.goals.run_presenters import OUTPUT_COLUMNS, observed_call, output_row, task_row, turn_row
from gateway.api.runs import queries
from gateway.gateway import Gateway
from gateway.views.presenting import JsonRow
from gateway.views.reader import Row
from gateway.views.results import stored_text, stored_value

BY_PLAN = "dag"

_OUTPUTS = (
    select(*OUTPUT_COLUMNS)
    .where(outputs.c.run_id == bindparam("run_id"))
    .order_by(outputs.c.created_at, outputs.c.id)
)
_REPORT = select(cast(run_steps.c.result, Text).label("result"), run_steps.c.completed_at).where(
    run_steps.c.run_id == bindparam("run_id"),
    run_steps.c.step == SYNTHESIS,
    run_steps.c.status == "completed",
)


async def steps(gateway: Gateway, run_id: str) -> list[JsonRow] | None:
    """Return the steps of a run in order, or None if the run does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    strategy = await queries.strategy_of_goal_run(gateway, run_id)
    if strategy is None:
        return None
    rows = await queries.steps(gateway, run_id)
    if strategy == BY_PLAN:
        return [await _task(gateway, row) for row in rows if row["step_attempt"] or row["step_inherited"]]
    return [await _turn(gateway, list(some)) for _, some in groupby(rows, lambda row: row["step_number"])]


async def outputs_of_run(gateway: Gateway, run_id: str) -> list[JsonRow] | None:
    """Return the outputs of a run, oldest first, or None if the run does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    strategy = await queries.strategy_of_goal_run(gateway, run_id)
    if strategy is None:
        return None
    left = list(map(output_row, await gateway.views.all(_OUTPUTS, run_id=run_id)))
    if strategy != BY_PLAN:
        return left
    return sorted([*left, *await _reports(gateway, run_id)], key=_output_order)


def _output_order(output: JsonRow) -> tuple[str, bool]:
    """Sort by time. At the same time, the summary comes before the webhook about it."""
    return output["createdAt"], output["kind"] == "webhook"


async def _reports(gateway: Gateway, run_id: str) -> list[JsonRow]:
    """Return the report of a plan, if it exists."""
    row = await gateway.views.first(_REPORT, run_id=run_id)
    if row is None:
        return []
    report = await stored_text(row["result"], gateway.blobs)
    output = {"id": f"output_{run_id.rpartition('_')[2]}-{SYNTHESIS}", "run_id": run_id, "kind": "summary"}
    return [
        output_row(
            {**output, "path_or_payload": report or "", "inherited": None, "created_at": row["completed_at"]}
        )
    ]


async def _turn(gateway: Gateway, rows: Sequence[Row]) -> JsonRow:
    turn, *calls = rows
    observed = [observed_call(call, await stored_value(call["step_result"], gateway.blobs)) for call in calls]
    return turn_row(turn, calls, list(filter(None, observed)))


async def _task(gateway: Gateway, row: Row) -> JsonRow:
    return task_row(row, await stored_text(row["step_result"], gateway.blobs))
