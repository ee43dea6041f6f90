"""What the views know of the steps of runs of goals, and of what they have left outside."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import orjson
from sqlalchemy import BindParameter, bindparam, select

from contracts.domain.run.steps import SYNTHESIS
from contracts.views import goal_calls, goal_runs, goal_steps, outputs, sub_steps
from gateway.api.goals.runs.presenters import (
    CALL_COLUMNS,
    OUTPUT_COLUMNS,
    TASK_COLUMNS,
    TURN_COLUMNS,
    observed_call,
    output_row,
    task_row,
    turn_row,
)
from gateway.gateway import Gateway
from gateway.views.presenting import Shown
from gateway.views.reader import Row
from gateway.views.results import stored_text, stored_value

BY_PLAN = "dag"

_is_it: BindParameter[str] = bindparam("run_id")
_STRATEGY = select(goal_runs.c.strategy).where(goal_runs.c.id == _is_it)
_of_turn = (goal_calls.c.run_id == goal_steps.c.run_id) & (goal_calls.c.step_no == goal_steps.c.step_no)
_TURNS = (
    select(*TURN_COLUMNS, *CALL_COLUMNS)
    .select_from(goal_steps.outerjoin(goal_calls, _of_turn))
    .where(goal_steps.c.run_id == _is_it)
    .order_by(goal_steps.c.step_no, goal_calls.c.position)
)
_TASKS = (
    select(*TASK_COLUMNS)
    .where(sub_steps.c.execution_id == _is_it)
    .order_by(sub_steps.c.task_id == SYNTHESIS, sub_steps.c.task_id)
)
_OUTPUTS = (
    select(*OUTPUT_COLUMNS).where(outputs.c.run_id == _is_it).order_by(outputs.c.created_at, outputs.c.id)
)


async def steps(gateway: Gateway, run_id: str) -> list[Shown] | None:
    """The steps of a run in their order; None when there is no such run.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    strategy = await gateway.views.value(_STRATEGY, run_id=run_id)
    if strategy is None:
        return None
    rows = await gateway.views.all(_TASKS if strategy == BY_PLAN else _TURNS, run_id=run_id)
    if strategy == BY_PLAN:
        return [await _task(gateway, n, row) for n, row in enumerate(rows, start=1) if row["task_attempt"]]
    return [await _turn(gateway, list(some)) for _, some in groupby(rows, lambda row: row["turn_step_no"])]


async def left_outside(gateway: Gateway, run_id: str) -> list[Shown] | None:
    """What a run has left outside, in the order of time; None when there is no such run.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    strategy = await gateway.views.value(_STRATEGY, run_id=run_id)
    if strategy is None:
        return None
    kept = await gateway.views.all(_OUTPUTS, run_id=run_id)
    tasks = await gateway.views.all(_TASKS, run_id=run_id) if strategy == BY_PLAN else ()
    completed = [task for task in tasks if task["task_status"] == "completed"]
    in_order = sorted(completed, key=lambda task: task["task_completed_at"])
    of_tasks = [await _left_by(gateway, task) for task in in_order]
    return [*filter(None, of_tasks), *map(output_row, kept)]


async def _turn(gateway: Gateway, rows: Sequence[Row]) -> Shown:
    calls = [row for row in rows if row["call_run_id"]]
    observed = [observed_call(call, await stored_value(call["call_result"], gateway.blobs)) for call in calls]
    return turn_row(rows[0], calls, list(filter(None, observed)))


async def _task(gateway: Gateway, number: int, row: Row) -> Shown:
    return task_row(row, number, await stored_text(row["task_result"], gateway.blobs))


async def _left_by(gateway: Gateway, task: Row) -> Shown | None:
    """What a completed step of a plan has left outside, if anything; of the synthesis, the report."""
    output: dict[str, str] | None = orjson.loads(task["task_output"] or "null")
    if task["task_task_id"] == SYNTHESIS:
        output = {"kind": "summary", "content": await stored_text(task["task_result"], gateway.blobs) or ""}
    if output is None:
        return None
    run_id = task["task_execution_id"]
    return output_row(
        {
            "id": f"output_{run_id.rpartition('_')[2]}-{task['task_task_id']}",
            "run_id": run_id,
            "kind": output["kind"],
            "path_or_payload": output["content"],
            "created_at": task["task_completed_at"],
        }
    )
