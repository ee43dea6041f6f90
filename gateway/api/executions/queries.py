"""What the views know of executions."""

from __future__ import annotations

from functools import cache
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, func, select

from contracts.api.executions import ExecutionQuery
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import executions, sub_steps
from gateway.api.executions.awaited import awaited
from gateway.api.executions.presenters import (
    API_STATUS,
    EXECUTION_COLUMNS,
    STEP_COLUMNS,
    execution_row,
    sub_step_row,
)
from gateway.gateway import Gateway
from gateway.views.presenting import Shown
from gateway.views.results import stored_text

_report = sub_steps.alias("report")
_with_report = executions.outerjoin(
    _report, (_report.c.execution_id == executions.c.id) & (_report.c.task_id == SYNTHESIS)
)
_with_steps = executions.outerjoin(sub_steps, sub_steps.c.execution_id == executions.c.id)
_is_it = executions.c.id == bindparam("execution_id")

_COLUMNS = (*EXECUTION_COLUMNS, cast(_report.c.result, Text).label("report"))
_ONE = select(*_COLUMNS).select_from(_with_report).where(_is_it)
_SEQ = select(executions.c.seq).where(_is_it)
_STEPS = (
    select(*EXECUTION_COLUMNS, *STEP_COLUMNS)
    .select_from(_with_steps)
    .where(_is_it)
    .order_by(sub_steps.c.task_id == SYNTHESIS, sub_steps.c.task_id)
)


async def page(gateway: Gateway, query: ExecutionQuery, dag_id: str | None = None) -> tuple[list[Shown], int]:
    """A page of executions and how many there are on all pages.

    Those of one DAG come newest first, those of all DAGs in the order they last changed.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    rows_of, count_of = _pages(of_dag=dag_id is not None, of_status=query.status is not None)
    wanted = {"dag_id": dag_id, "statuses": _names(query.status)}
    part = {"limit": query.limit, "offset": query.offset}
    rows = await gateway.views.all(rows_of, **wanted, **part)
    shown = [execution_row(row, await stored_text(row["report"], gateway.blobs)) for row in rows]
    if rows or not query.offset:
        return shown, rows[0]["total"] if rows else 0
    return shown, await gateway.views.value(count_of, **wanted)


@cache
def _pages(*, of_dag: bool, of_status: bool) -> tuple[Select[Any], Select[Any]]:
    """The statements for a page and its total; made once, since making takes longer than executing."""
    wanted: list[ColumnElement[bool]] = []
    if of_dag:
        wanted.append(executions.c.dag_id == bindparam("dag_id"))
    if of_status:
        wanted.append(executions.c.status.in_(bindparam("statuses", expanding=True)))
    count = select(func.count()).select_from(executions).where(*wanted)
    when = executions.c.created_at if of_dag else executions.c.updated_at
    rows = (
        select(*_COLUMNS, count.scalar_subquery().label("total"))
        .select_from(_with_report)
        .where(*wanted)
        .order_by(when.desc(), executions.c.id.desc())
        .limit(bindparam("limit"))
        .offset(bindparam("offset"))
    )
    return rows, count


async def one(gateway: Gateway, execution_id: str) -> Shown | None:
    """One execution.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    row = await gateway.views.first(_ONE, execution_id=execution_id)
    if row is None:
        return await awaited(gateway, execution_id)
    return execution_row(row, await stored_text(row["report"], gateway.blobs))


async def detail(gateway: Gateway, execution_id: str) -> orjson.Fragment | None:
    """One execution and its steps as JSON; as long as nothing happens to it, it is not made again.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    seq = await gateway.views.value(_SEQ, execution_id=execution_id)
    if kept := gateway.shown_executions.get(execution_id, seq):
        return orjson.Fragment(kept)
    shown = await with_steps(gateway, execution_id)
    if shown is None:
        return None
    made = orjson.dumps(shown)
    gateway.shown_executions.put(execution_id, shown["seq"], made)
    return orjson.Fragment(made)


async def with_steps(gateway: Gateway, execution_id: str) -> Shown | None:
    """One execution and its steps, of the same moment.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    rows = await gateway.views.all(_STEPS, execution_id=execution_id)
    if not rows:
        waiting = await awaited(gateway, execution_id)
        return {**waiting, "subSteps": []} if waiting else None
    steps = [await sub_step_row(row, gateway.blobs) for row in rows if row["step_id"]]
    report = steps[-1]["result"] if steps and steps[-1]["taskId"] == SYNTHESIS else None
    return {**execution_row(rows[0], report), "subSteps": steps}


async def number_of(gateway: Gateway, condition: ColumnElement[bool]) -> int:
    """How many executions, or steps, meet a condition.

    Raises:
        ViewsUnavailable: there are no views at the moment.
    """
    count: Any = await gateway.views.value(select(func.count()).where(condition))
    return int(count)


def _names(status: str | None) -> list[str]:
    """The runs' own names of a status that clients know."""
    return [status, *(own for own, shown in API_STATUS.items() if shown == status)] if status else []
