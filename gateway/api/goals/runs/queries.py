"""What the views know of runs of goals."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Text, bindparam, case, cast, func, select

from contracts.api.runs import RunQuery
from contracts.core.event import BlobRef, Json
from contracts.domain.prompts.observations import Observed, working_memory
from contracts.domain.run import OPEN, Status
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import dags, executions, goal_calls, goal_runs, goals, sub_steps
from gateway.api.goals.presenters import GOAL_COLUMNS
from gateway.api.goals.runs.presenters import PLAN_COLUMNS, PLANNING_COLUMNS, RUN_COLUMNS, RUN_STATUS, run_row
from gateway.gateway import Gateway
from gateway.views.presenting import Shown
from gateway.views.reader import Row
from gateway.views.results import stored_text, stored_value

LISTED_CHARS = 4096
"""Of a result that is shown in a list of runs; longer ones are shown with the run itself."""
ALL_CHARS = 2**31

_report = sub_steps.alias("report")
_runs = (
    goal_runs.join(goals, goals.c.id == goal_runs.c.goal_id)
    .outerjoin(executions, executions.c.id == goal_runs.c.id)
    .outerjoin(dags, dags.c.id == goal_runs.c.dag_id)
    .outerjoin(_report, (_report.c.execution_id == goal_runs.c.id) & (_report.c.task_id == SYNTHESIS))
)
_status = func.coalesce(executions.c.status, goal_runs.c.status)
"""A run by a plan stands as its execution does, once there is one."""
_COLUMNS = (
    *RUN_COLUMNS,
    *PLAN_COLUMNS,
    *PLANNING_COLUMNS,
    *GOAL_COLUMNS,
    cast(_report.c.result, Text).label("report"),
)
_ONE = select(*_COLUMNS).select_from(_runs).where(goal_runs.c.id == bindparam("run_id"))
_RUNNING = select(func.count()).select_from(_runs).where(_status == Status.RUNNING)
_OPEN = (
    select(goal_runs.c.id)
    .select_from(_runs)
    .where(goal_runs.c.goal_id == bindparam("goal_id"), _status.in_([status.value for status in OPEN]))
)

_result = cast(goal_calls.c.result, Text)
_RESULTS = (
    select(
        goal_calls.c.run_id,
        goal_calls.c.step_no,
        goal_calls.c.position,
        goal_calls.c.tool,
        case((func.length(_result) <= bindparam("most"), _result)).label("result"),
        func.length(_result).label("size"),
    )
    .where(goal_calls.c.run_id.in_(bindparam("run_ids", expanding=True)), goal_calls.c.status == "completed")
    .order_by(goal_calls.c.run_id, goal_calls.c.step_no, goal_calls.c.position)
)


async def page(gateway: Gateway, query: RunQuery) -> list[Shown]:
    """A page of runs, newest first.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    statement = _page(of_goal=query.goal_id is not None, of_status=query.status is not None)
    wanted = {"goal_id": query.goal_id, "statuses": _names(query.status)}
    rows = await gateway.views.all(statement, **wanted, limit=query.limit, offset=query.offset)
    ids = [row["run_id"] for row in rows]
    results = await gateway.views.all(_RESULTS, run_ids=ids, most=LISTED_CHARS) if ids else ()
    by_run = {run_id: list(some) for run_id, some in groupby(results, key=lambda row: row["run_id"])}
    return [await _shown(gateway, row, by_run.get(row["run_id"], []), whole=False) for row in rows]


async def one(gateway: Gateway, run_id: str) -> Shown | None:
    """One run.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    row = await gateway.views.first(_ONE, run_id=run_id)
    if row is None:
        return None
    results = await gateway.views.all(_RESULTS, run_ids=[run_id], most=ALL_CHARS)
    return await _shown(gateway, row, results, whole=True)


async def number_running(gateway: Gateway) -> int:
    """How many runs of goals are going on.

    Raises:
        ViewsUnavailable: there are no views at the moment.
    """
    return int(await gateway.views.value(_RUNNING))


async def open_runs(gateway: Gateway, goal_id: str) -> list[str]:
    """Ids of those runs of a goal that can still move on.

    Raises:
        ViewsUnavailable: there are no views at the moment.
    """
    return [row["id"] for row in await gateway.views.all(_OPEN, goal_id=goal_id)]


@cache
def _page(*, of_goal: bool, of_status: bool) -> Select[Any]:
    """The statement for a page; made once, since making takes longer than executing."""
    wanted: list[ColumnElement[bool]] = []
    if of_goal:
        wanted.append(goal_runs.c.goal_id == bindparam("goal_id"))
    if of_status:
        wanted.append(_status.in_(bindparam("statuses", expanding=True)))
    return (
        select(*_COLUMNS)
        .select_from(_runs)
        .where(*wanted)
        .order_by(goal_runs.c.created_at.desc(), goal_runs.c.id.desc())
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
    )


def _names(status: str | None) -> list[str]:
    """The runs' own names of a status that clients know; none for one that they do not."""
    if status is None or status in RUN_STATUS:
        return []
    return [status, *(own for own, shown in RUN_STATUS.items() if shown == status)]


async def _shown(gateway: Gateway, row: Row, results: Sequence[Row], *, whole: bool) -> Shown:
    """A run; `whole`: with large results too."""
    report = await stored_text(row["report"], gateway.blobs) if row["plan_status"] == "completed" else None
    observed = [
        Observed(
            turn=call["step_no"],
            position=call["position"],
            tool=call["tool"],
            arguments={},
            result=await stored_value(call["result"], gateway.blobs) if whole else _listed(call),
        )
        for call in results
    ]
    return run_row(row, working_memory(observed, row["run_summary"] or report))


def _listed(call: Row) -> Json:
    value = None if call["result"] is None else orjson.loads(call["result"])
    ref = BlobRef.of(value)
    if ref is None and call["size"] <= LISTED_CHARS:
        return value
    return f"({ref.size if ref else call['size']} bytes; get the run itself to see them)"
