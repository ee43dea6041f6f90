"""Numbers of executions and runs by status and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime

from aiohttp import web
from sqlalchemy import ColumnElement, func, select

from contracts.api.fields import epoch_ms
from contracts.api.run_counts import CountRange, PeriodCounts, RunCountQuery, RunCounts, StatusCounts
from contracts.core.scopes import Scope
from contracts.views import EXECUTION_STATUS, IS_EXECUTION, IS_GOAL_RUN, runs
from gateway.api.periods import moment_in
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.reader import Reader

HOUR_MS = 60 * 60 * 1000
LENGTH_MS = {"hour": HOUR_MS, "day": 24 * HOUR_MS}
DEFAULT_FROM = "7d"
INVALID = "Invalid query parameters"

Counts = Mapping[int, Counter[str]]
"""Numbers by status, by the start of their period in milliseconds since 1970."""


@endpoint(
    "GET",
    "/api/v1/runs/summary",
    summary="Count executions and runs by hour or day",
    tag="runs",
    scope=Scope.READ,
    query=RunCountQuery,
    responses={200: RunCounts},
    invalid=INVALID,
)
async def get_run_summary(call: Call[None, RunCountQuery]) -> web.StreamResponse:
    """Counts by the time of the request, in UTC, and by the status that executions and runs have now."""
    now = call.gateway.clock()
    start = moment_in("from", call.query.from_ or DEFAULT_FROM, now, INVALID)
    end = moment_in("to", call.query.to, now, INVALID) if call.query.to else now
    length = LENGTH_MS[call.query.group_by]
    async with call.gateway.views.snapshot(long=True) as reader:
        executions = await _counts(reader, IS_EXECUTION, start, end, length)
        of_goals = await _counts(reader, IS_GOAL_RUN, start, end, length)
    return json_reply(
        RunCounts(
            date_range=CountRange(from_=epoch_ms(start), to=epoch_ms(end), group_by=call.query.group_by),
            summary=[
                PeriodCounts(date=at, executions=_shown(executions.get(at)), runs=_shown(of_goals.get(at)))
                for at in sorted(executions.keys() | of_goals.keys())
            ],
            executions=_shown(sum(executions.values(), Counter())),
            runs=_shown(sum(of_goals.values(), Counter())),
        )
    )


ENDPOINTS = (get_run_summary,)


async def _counts(
    reader: Reader, which: ColumnElement[bool], start: datetime, end: datetime, length: int
) -> Counts:
    period = (runs.c.created_at // length).label("period")
    status = EXECUTION_STATUS.label("status")
    statement = (
        select(period, status, func.count().label("number"))
        .where(which, runs.c.created_at.between(epoch_ms(start), epoch_ms(end)))
        .group_by(period, status)
    )
    found: dict[int, Counter[str]] = {}
    for row in await reader.all(statement):
        found.setdefault(row["period"] * length, Counter())[row["status"]] += row["number"]
    return found


def _shown(counts: Counter[str] | None) -> StatusCounts:
    found = counts or Counter()
    return StatusCounts.model_validate({**found, "total": found.total()})
