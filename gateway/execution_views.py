"""What the views know of executions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Text, cast, func, select

from contracts.api.executions import ExecutionQuery
from contracts.steps import SYNTHESIS
from contracts.views import executions, sub_steps
from gateway.execution_events import API_STATUS
from gateway.gateway import Gateway
from gateway.presenters import EXECUTION_COLUMNS, STEP_COLUMNS, Shown, execution_row, sub_step_row
from gateway.results import stored_text

_report = sub_steps.alias("report")
_with_report = executions.outerjoin(
    _report, (_report.c.execution_id == executions.c.id) & (_report.c.task_id == SYNTHESIS)
)
_COLUMNS = (*EXECUTION_COLUMNS, cast(_report.c.result, Text).label("report"))


async def page(gateway: Gateway, query: ExecutionQuery, dag_id: str | None = None) -> tuple[list[Shown], int]:
    """A page of executions and how many there are on all pages.

    Those of one DAG come newest first, those of all DAGs in the order they last changed.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    wanted = [executions.c.dag_id == dag_id] if dag_id else []
    if query.status:
        wanted.append(executions.c.status.in_(_names(query.status)))
    count = select(func.count()).select_from(executions).where(*wanted)
    when = executions.c.created_at if dag_id else executions.c.updated_at
    statement = (
        select(*_COLUMNS, count.scalar_subquery().label("total"))
        .select_from(_with_report)
        .where(*wanted)
        .order_by(when.desc(), executions.c.id.desc())
        .limit(query.limit)
        .offset(query.offset)
    )
    rows = await gateway.views.all(statement)
    shown = [execution_row(row, await stored_text(row["report"], gateway.blobs)) for row in rows]
    if rows or not query.offset:
        return shown, rows[0]["total"] if rows else 0
    return shown, await gateway.views.value(count)


async def one(gateway: Gateway, execution_id: str) -> Shown | None:
    """One execution.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    statement = select(*_COLUMNS).select_from(_with_report).where(executions.c.id == execution_id)
    row = await gateway.views.first(statement)
    return execution_row(row, await stored_text(row["report"], gateway.blobs)) if row else None


async def with_steps(gateway: Gateway, execution_id: str) -> Shown | None:
    """One execution and its steps, of the same moment.

    Raises:
        ViewsUnavailable: there are no views at the moment.
        Unavailable: a large result could not be fetched.
    """
    statement = (
        select(*EXECUTION_COLUMNS, *STEP_COLUMNS)
        .select_from(executions.outerjoin(sub_steps, sub_steps.c.execution_id == executions.c.id))
        .where(executions.c.id == execution_id)
        .order_by(sub_steps.c.task_id == SYNTHESIS, sub_steps.c.task_id)
    )
    rows = await gateway.views.all(statement)
    if not rows:
        return None
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


def _names(status: str) -> list[str]:
    """The runs' own names of a status that clients know."""
    return [status, *(own for own, shown in API_STATUS.items() if shown == status)]
