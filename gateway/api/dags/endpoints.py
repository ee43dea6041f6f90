"""DAGs: goals and the plans made for them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Select, Text, bindparam, cast, func, select

from contracts.api.dags import DagDeleted, DagList, DagPatch, DagQuery, DagRow, ScheduledDag
from contracts.api.executions import DagExecutionList, DagExecutionQuery
from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.schedule.description import describe
from contracts.runtime.stream import transact
from contracts.views import IS_ANSWERED, IS_EXECUTION, dags, dags_text, planning_attempts, runs, totals
from gateway.api.dags.presenters import ATTEMPT_COLUMNS, DAG_COLUMNS, dag_row
from gateway.api.executions import showing as executions
from gateway.api.filters import text_and_time
from gateway.api.schedules.parsing import changed_schedule
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply
from gateway.views.filtering import Conditions, Probes, chosen, given, reader_for, searched_in, text_is_common
from gateway.views.paging import Part, in_order, link, number_of, page_of
from gateway.views.presenting import JsonRow, pagination, pagination_by_cursor
from gateway.views.reader import Row, ViewsUnavailable

TAG = "dags"
MISSING = "DAG with id '{id}' not found"
INVALID = "Invalid parameters"
_EXECUTIONS = select(func.count()).where(IS_EXECUTION, runs.c.dag_id == bindparam("dag_id"))
_ONE = select(*DAG_COLUMNS).where(dags.c.id == bindparam("dag_id"))
_FILTERS: Conditions = {
    **searched_in(dags, dags_text),
    "status": dags.c.status == bindparam("status"),
    "agent": dags.c.agent_name == bindparam("agent"),
    "tool": func.instr(cast(dags.c.tools, Text), func.json_quote(bindparam("tool", type_=Text))) > 0,
    "min_cost": func.coalesce(dags.c.planning_cost_pico, 0) >= bindparam("min_cost"),
}
_PROBES: Probes = {"q": text_is_common(dags_text)}
_ATTEMPTS = (
    select(*ATTEMPT_COLUMNS)
    .where(planning_attempts.c.dag_id.in_(bindparam("dag_ids", expanding=True)))
    .order_by(planning_attempts.c.dag_id, planning_attempts.c.version)
)


@endpoint(
    "GET",
    "/api/v1/dags",
    summary="List DAGs, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=DagQuery,
    responses={200: DagList},
    invalid="Invalid query parameters",
)
async def list_dags(call: Call[None, DagQuery]) -> web.StreamResponse:
    """Omits DAGs that are being planned or whose planning failed. Use `status` to list them."""
    query = call.query
    part = Part(query.limit, query.offset, query.cursor)
    wanted = given(
        status=query.status,
        agent=query.agent,
        tool=query.tool,
        min_cost=query.min_cost_usd,
        **text_and_time(query, call.gateway.clock()),
    )
    async with reader_for(call.gateway.views, wanted) as reader:
        by = await chosen(reader, wanted, _PROBES)
        found = await reader.all(_page(by, after=bool(query.cursor)), **wanted, **part.parameters)
        total = None if part.by_cursor else await reader.value(_total(by), **wanted)
    rows = in_order(found, "created_at", "id")
    shown, cursor = await _with_attempts(call.gateway, rows), part.next(rows)
    if part.by_cursor:
        listed = pagination_by_cursor(query.limit, len(shown), cursor)
    else:
        listed = pagination(query.limit, query.offset, len(shown), total or 0)
    return json_reply({"dags": shown, "pagination": listed}, headers=link(call.request.url, cursor))


@endpoint(
    "GET",
    "/api/v1/dags/scheduled",
    summary="List DAGs with a schedule, most recently changed first",
    tag=TAG,
    scope=Scope.READ,
    responses={200: list[ScheduledDag]},
)
async def list_scheduled_dags(call: Call[None, None]) -> web.StreamResponse:
    """Includes inactive schedules."""
    columns = (dags.c.id, dags.c.dag_title, dags.c.cron_schedule, dags.c.schedule_active)
    statement = (
        select(*columns)
        .where(dags.c.cron_schedule.is_not(None))
        .order_by(dags.c.updated_at.desc(), dags.c.id.desc())
    )
    return json_reply(
        [
            {
                "id": row["id"],
                "dag_title": row["dag_title"],
                "cron_schedule": row["cron_schedule"],
                "schedule_description": describe(row["cron_schedule"]),
                "schedule_active": bool(row["schedule_active"]),
            }
            for row in await call.gateway.views.all(statement)
        ]
    )


@endpoint(
    "GET",
    "/api/v1/dags/{id}",
    summary="Get a DAG",
    tag=TAG,
    scope=Scope.READ,
    responses={200: DagRow},
    missing=MISSING,
)
async def get_dag(call: Call[None, None]) -> web.StreamResponse:
    """A DAG exists from the start of planning. Its `result` is null until there is a plan."""
    return await _reply(call)


@endpoint(
    "PATCH",
    "/api/v1/dags/{id}",
    summary="Change a DAG or its schedule",
    tag=TAG,
    scope=Scope.RUN,
    body=DagPatch,
    responses={200: DagRow},
    invalid=INVALID,
    missing=MISSING,
)
async def update_dag(call: Call[DagPatch, None]) -> web.StreamResponse:
    """Omitted keys stay unchanged. A new job is validated when it is executed."""
    patch = call.body

    def decide(state: dag.State) -> list[Event]:
        dag.require_known(state)
        changes = dag.Updated(
            label=patch.status, job=patch.result, params=patch.params, title=patch.dag_title
        )
        changed = dag.update(state, changes) if changes.model_dump(exclude_none=True) else []
        return [*changed, *dag.set_schedule(state, changed_schedule(patch, state.schedule))]

    try:
        stream = await transact(call.gateway.log, DAG, call.path["id"], decide, call.origin)
    except dag.UnknownDag:
        raise call.missing() from None
    if not await call.gateway.projected(stream.seq):
        raise ViewsUnavailable("the DAG is changed, but this is not visible yet: get it in a moment")
    return await _reply(call)


@endpoint(
    "DELETE",
    "/api/v1/dags/{id}",
    summary="Delete a DAG",
    tag=TAG,
    scope=Scope.RUN,
    responses={200: DagDeleted},
    missing=MISSING,
    errors={409: "The DAG has executions."},
)
async def delete_dag(call: Call[None, None]) -> web.StreamResponse:
    """A DAG that has executions cannot be deleted."""
    return await _deleted(call)


@endpoint(
    "DELETE",
    "/api/v1/dag/{id}",
    summary="Delete a DAG (older path)",
    tag=TAG,
    scope=Scope.RUN,
    responses={200: DagDeleted},
    missing=MISSING,
    errors={409: "The DAG has executions."},
)
async def delete_dag_by_older_path(call: Call[None, None]) -> web.StreamResponse:
    """A DAG that has executions cannot be deleted."""
    return await _deleted(call)


@endpoint(
    "GET",
    "/api/v1/dags/{id}/executions",
    summary="List executions of one DAG, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=DagExecutionQuery,
    responses={200: DagExecutionList},
    invalid=INVALID,
    missing=MISSING,
)
async def list_executions_of_dag(call: Call[None, DagExecutionQuery]) -> web.StreamResponse:
    """Omits the steps, and executions whose plan is still being made. Get those by their id."""
    gateway, query, dag_id = call.gateway, call.query, call.path["id"]
    if await gateway.views.value(select(dags.c.id).where(dags.c.id == dag_id)) is None:
        raise call.missing()
    part = Part(query.limit, query.offset, query.cursor)
    wanted = given(
        status=query.status,
        dag_id=dag_id,
        forked_from=query.forked_from,
        agent=query.agent,
        tool=query.tool,
        min_cost=query.min_cost_usd,
        **text_and_time(query, gateway.clock()),
    )
    shown, listed = await executions.listed(gateway, wanted, part)
    for row in shown:
        del row["dagTitle"]
    flat = {name: listed[name] for name in ("total", "limit", "offset") if name in listed}
    headers = link(call.request.url, listed.get("nextCursor"))
    return json_reply({"executions": shown, **flat, "pagination": listed}, headers=headers)


ENDPOINTS = (
    list_dags,
    list_scheduled_dags,
    get_dag,
    update_dag,
    delete_dag,
    delete_dag_by_older_path,
    list_executions_of_dag,
)


def _conditions(by: tuple[str, ...]) -> list[ColumnElement[bool]]:
    listed = [] if "status" in by else [IS_ANSWERED]
    return [*listed, *(_FILTERS[name] for name in by)]


@cache
def _page(by: tuple[str, ...], *, after: bool) -> Select[Any]:
    """Return the statement for a page. It is cached, because building it takes longer than executing it."""
    return select(*DAG_COLUMNS).where(dags.c.id.in_(_ids(by, after=after)))


def _ids(by: tuple[str, ...], *, after: bool) -> Select[Any]:
    return page_of(dags.c.created_at, dags.c.id, _conditions(by), after=after)


@cache
def _total(by: tuple[str, ...]) -> Select[Any]:
    """Return the statement for the number of DAGs on all pages. It reads stored totals, or counts."""
    if set(by) - {"status"}:
        return number_of(_ids(by, after=False))
    count = select(func.sum(totals.c.rows))
    if by:
        return count.where(totals.c.list == "dags", totals.c.status == bindparam("status"))
    return count.where(totals.c.list == "answered_dags")


async def _reply(call: Call[Any, Any]) -> web.StreamResponse:
    row = await call.gateway.views.first(_ONE, dag_id=call.path["id"])
    if row is None:
        raise call.missing()
    (shown,) = await _with_attempts(call.gateway, [row])
    return json_reply(shown)


async def _with_attempts(gateway: Gateway, rows: Sequence[Row]) -> list[JsonRow]:
    """Return DAGs with their planning attempts."""
    ids = [row["id"] for row in rows]
    attempts = await gateway.views.all(_ATTEMPTS, dag_ids=ids) if ids else []
    by_dag = {dag_id: list(some) for dag_id, some in groupby(attempts, key=lambda attempt: attempt["dag_id"])}
    return [dag_row(row, by_dag.get(row["id"], [])) for row in rows]


async def _deleted(call: Call[None, None]) -> web.StreamResponse:
    gateway, dag_id = call.gateway, call.path["id"]
    if not await gateway.projected(await gateway.log.last_seq()):
        raise ViewsUnavailable("the executions of the DAG are not all known yet: delete it again in a moment")
    count = await gateway.views.value(_EXECUTIONS, dag_id=dag_id)
    if count:
        error = f"Cannot delete DAG: {count} execution(s) exist for this DAG"
        raise Refusal(409, error, dagId=dag_id, executionCount=count)
    try:
        stream = await transact(gateway.log, DAG, dag_id, dag.delete, call.origin)
    except dag.UnknownDag:
        raise call.missing() from None
    await gateway.projected(stream.seq)
    return json_reply({"message": "DAG deleted successfully", "dagId": dag_id})
