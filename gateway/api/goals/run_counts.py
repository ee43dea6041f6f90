"""Numbers of executions and runs by status and time."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from sqlalchemy import ColumnElement, Function, Label, Select, func, select

from contracts.api.fields import epoch_ms, iso
from contracts.api.run_counts import RunCountQuery, RunCounts, StatusCounts
from contracts.core.scopes import Scope
from contracts.views import EXECUTION_STATUS, HOUR_MS, IS_EXECUTION, IS_GOAL_RUN, hourly_totals, runs
from gateway.api.periods import moment_in
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.reader import Reader

HOURS = {"hour": 1, "day": 24}
"""Length of a period."""
DEFAULT_FROM = "7d"
INVALID = "Invalid query parameters"
TOTAL = "total"
NAMES = tuple(StatusCounts.model_fields)
"""Statuses, and TOTAL."""
NONE = dict.fromkeys(NAMES, 0)

Numbers = dict[str, int]
"""Numbers by NAMES."""
Counts = Mapping[int, Numbers]
"""Numbers by the start of their period in milliseconds since 1970."""


@dataclass(frozen=True, eq=False, slots=True)
class Listed:
    """A list of runs, and the name of its stored totals."""

    name: str
    includes: ColumnElement[bool]


EXECUTIONS = Listed("executions", IS_EXECUTION)
GOAL_RUNS = Listed("goal_runs", IS_GOAL_RUN)


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
    asked = epoch_ms(start), epoch_ms(end), HOURS[call.query.group_by]
    async with call.gateway.views.snapshot(long=True) as reader:
        executions = await _counts(reader, EXECUTIONS, *asked)
        of_goals = await _counts(reader, GOAL_RUNS, *asked)
    return json_reply(
        {
            "dateRange": {"from": iso(asked[0]), "to": iso(asked[1]), "groupBy": call.query.group_by},
            "summary": [
                {
                    "date": iso(at),
                    "executions": executions.get(at, NONE),
                    "runs": of_goals.get(at, NONE),
                }
                for at in sorted(executions.keys() | of_goals.keys())
            ],
            "executions": _sum(executions.values()),
            "runs": _sum(of_goals.values()),
        }
    )


ENDPOINTS = (get_run_summary,)


async def _counts(reader: Reader, listed: Listed, start: int, end: int, hours: int) -> Counts:
    """Count the runs from `start` to `end`: whole hours by their stored totals, the others by their rows."""
    first, last = -(-start // HOUR_MS), (end + 1) // HOUR_MS
    if first < last:
        statements = [
            _rows(listed, start, first * HOUR_MS - 1, hours),
            _whole_hours(listed, first, last - 1, hours),
            _rows(listed, last * HOUR_MS, end, hours),
        ]
    else:
        statements = [_rows(listed, start, end, hours)]
    found: dict[int, Numbers] = {}
    for statement in statements:
        for row in await reader.all(statement):
            if row[TOTAL]:
                at, numbers = row["period"] * hours * HOUR_MS, {name: row[name] for name in NAMES}
                found[at] = _sum((found[at], numbers)) if at in found else numbers
    return found


def _whole_hours(listed: Listed, first: int, last: int, hours: int) -> Select[Any]:
    period = (hourly_totals.c.hour // hours).label("period")
    return (
        select(period, *_by_status(func.sum(hourly_totals.c.rows)))
        .where(hourly_totals.c.list == listed.name, hourly_totals.c.hour.between(first, last))
        .group_by(period)
    )


def _rows(listed: Listed, start: int, end: int, hours: int) -> Select[Any]:
    period = (runs.c.created_at // (hours * HOUR_MS)).label("period")
    return (
        select(period, *_by_status(func.count()))
        .where(listed.includes, runs.c.created_at.between(start, end))
        .group_by(period)
    )


def _by_status(number: Function[int]) -> list[Label[int]]:
    """Return a column of `number` for each of NAMES."""
    status = EXECUTION_STATUS
    numbers = {name: number.filter(status == name) for name in NAMES if name != TOTAL}
    return [func.coalesce(one, 0).label(name) for name, one in {**numbers, TOTAL: number}.items()]


def _sum(many: Collection[Numbers]) -> Numbers:
    return {name: sum(one[name] for one in many) for name in NAMES}
