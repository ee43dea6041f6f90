"""What the views know of runs of goals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Text, bindparam, case, cast, func, select

from contracts.api.runs import RunQuery
from contracts.event import Json
from contracts.observations import Observed, working_memory
from contracts.run import Status
from contracts.steps import SYNTHESIS
from contracts.views import executions, goal_calls, goal_runs, goal_steps, goals, outputs, sub_steps
from gateway.gateway import Gateway
from gateway.goal_rows import GOAL_COLUMNS
from gateway.outputs import of_plan
from gateway.presenters import Row, Shown, json_of
from gateway.results import stored_text, stored_value
from gateway.run_rows import (
    CALL_COLUMNS,
    OUTPUT_COLUMNS,
    PLAN_COLUMNS,
    RUN_COLUMNS,
    RUN_STATUS,
    TASK_COLUMNS,
    TURN_COLUMNS,
    observed_call,
    output_row,
    run_row,
    task_row,
    turn_row,
)

LISTED_BYTES = 4096
"""Of a result that is shown in a list of runs; longer ones are shown with the run itself."""

_report = sub_steps.alias("report")
_status = func.coalesce(executions.c.status, goal_runs.c.status)
"""A run by a plan stands as its execution does, once there is one."""
_runs = (
    goal_runs.join(goals, goals.c.id == goal_runs.c.goal_id)
    .outerjoin(executions, executions.c.id == goal_runs.c.id)
    .outerjoin(_report, (_report.c.execution_id == goal_runs.c.id) & (_report.c.task_id == SYNTHESIS))
)
_COLUMNS = (*RUN_COLUMNS, *PLAN_COLUMNS, *GOAL_COLUMNS, cast(_report.c.result, Text).label("report"))
_is_it = bindparam("run_id")
_ONE = select(*_COLUMNS).select_from(_runs).where(goal_runs.c.id == _is_it)
_STRATEGY = select(goal_runs.c.strategy).where(goal_runs.c.id == _is_it)
_RESULTS = (
    select(
        goal_calls.c.run_id,
        goal_calls.c.step_no,
        goal_calls.c.position,
        goal_calls.c.tool,
        func.length(cast(goal_calls.c.result, Text)).label("size"),
        case(
            (func.length(cast(goal_calls.c.result, Text)) <= bindparam("most"), cast(goal_calls.c.result, Text))
        ).label("result"),
    )
    .where(goal_calls.c.run_id.in_(bindparam("run_ids", expanding=True)), goal_calls.c.status == "completed")
    .order_by(goal_calls.c.run_id, goal_calls.c.step_no, goal_calls.c.position)
)
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
    select(*OUTPUT_COLUMNS)
    .where(outputs.c.run_id == _is_it)
    .order_by(outputs.c.created_at, outputs.c.id)
)


async def page(gateway: Gateway, query: RunQuery) -> list[Shown]:
    """A page of runs, newest first.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large report could not be fetched.
    """
    statement = _page(of_goal=query.goal_id is not None, of_status=query.status is not None)
    wanted = {"goal_id": query.goal_id, "statuses": _names(query.status)}
    part = {"limit": query.limit, "offset": query.offset}
    async with gateway.views.snapshot() as reader:
        rows = await reader.all(statement, **wanted, **part)
        ids = [row["run_id"] for row in rows]
        calls = await reader.all(_RESULTS, run_ids=ids, most=LISTED_BYTES) if ids else ()
    by_run = {run_id: list(some) for run_id, some in groupby(calls, key=lambda call: call["run_id"])}
    shown = []
    for row in rows:
        results = [_observed(call, _listed(call)) for call in by_run.get(row["run_id"], ())]
        shown.append(run_row(row, working_memory(results, await _summary(gateway, row))))
    return shown


async def one(gateway: Gateway, run_id: str) -> Shown | None:
    """One run.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    async with gateway.views.snapshot() as reader:
        row = await reader.first(_ONE, run_id=run_id)
        calls = await reader.all(_RESULTS, run_ids=[run_id], most=EVERYTHING)
    if row is None:
        return None
    results = [_observed(call, await stored_value(call["result"], gateway.blobs)) for call in calls]
    return run_row(row, working_memory(results, await _summary(gateway, row)))


async def steps(gateway: Gateway, run_id: str) -> list[Shown] | None:
    """The steps of a run in their order; None when there is no such run.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    async with gateway.views.snapshot() as reader:
        strategy = await reader.value(_STRATEGY, run_id=run_id)
        if strategy is None:
            return None
        rows = await reader.all(_TURNS if strategy == "agent" else _TASKS, run_id=run_id)
    if strategy == "agent":
        return [await _turn(gateway, list(some)) for _, some in groupby(rows, lambda row: row["turn_step_no"])]
    started = [(number, row) for number, row in enumerate(rows, start=1) if row["task_attempt"]]
    return [task_row(row, n, await stored_text(row["task_result"], gateway.blobs)) for n, row in started]


async def left_outside(gateway: Gateway, run_id: str) -> list[Shown] | None:
    """What a run has left outside itself, in the order of time; None when there is no such run.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    async with gateway.views.snapshot() as reader:
        strategy = await reader.value(_STRATEGY, run_id=run_id)
        if strategy is None:
            return None
        rows = await reader.all(_OUTPUTS, run_id=run_id)
        tasks = await reader.all(_TASKS, run_id=run_id) if strategy == "dag" else ()
    of_tasks = [
        await _left_by(gateway, task) for task in sorted(tasks, key=lambda task: task["task_completed_at"] or 0)
    ]
    return [*filter(None, of_tasks), *map(output_row, rows)]


async def running(gateway: Gateway) -> int:
    """How many runs are going on.

    Raises:
        ViewsUnavailable: there are no views at the moment.
    """
    return int(await gateway.views.value(_RUNNING))


async def open_of_goal(gateway: Gateway, goal_id: str) -> list[str]:
    """Runs of a goal that can still move on.

    Raises:
        ViewsUnavailable: there are no views at the moment.
    """
    return [row["id"] for row in await gateway.views.all(_OPEN, goal_id=goal_id, statuses=list(OPEN))]
