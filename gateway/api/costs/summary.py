"""Costs by day, week or month. Sums are exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

from aiohttp import web
from sqlalchemy import Column, ColumnElement, func, select, true

from contracts.api.costs import CostQuery, CostSummary, DateRange, GroupBy, PeriodCost, Spent
from contracts.api.fields import epoch_ms
from contracts.core.scopes import Scope
from contracts.views import dags, runs, tasks
from gateway.api.periods import moment_in, period_of
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.reader import Reader

DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_FROM = "30d"
FIRST_DAY = date(1970, 1, 1)
INVALID = "Invalid parameters"

Days = Mapping[date, int]
"""Costs of each day, in 10⁻¹² US dollars."""


@dataclass(frozen=True, slots=True)
class Source:
    """A column of costs, and the column of the time at which they count."""

    cost: Column[int]
    at: Column[int]
    which: ColumnElement[bool] = field(default_factory=true)


SOURCES = {
    "planning_cost_usd": Source(dags.c.planning_cost_pico, dags.c.created_at),
    "execution_cost_usd": Source(runs.c.cost_pico, runs.c.ended_at, runs.c.strategy == "dag"),
    "goal_run_cost_usd": Source(runs.c.cost_pico, runs.c.ended_at, runs.c.strategy == "agent"),
    "task_cost_usd": Source(tasks.c.cost_pico, tasks.c.created_at),
}


@endpoint(
    "GET",
    "/api/v1/costs/summary",
    summary="Get costs by day, week or month",
    tag="costs",
    scope=Scope.READ,
    query=CostQuery,
    responses={200: CostSummary},
    invalid=INVALID,
)
async def get_cost_summary(call: Call[None, CostQuery]) -> web.StreamResponse:
    """Plans and tasks count on the day of their request, runs and executions on the day they ended, in UTC.

    The list contains every period in which something counts, even at no cost.
    """
    now = call.gateway.clock()
    start = moment_in("from", call.query.from_ or DEFAULT_FROM, now, INVALID)
    end = moment_in("to", call.query.to, now, INVALID) if call.query.to else now
    asked = DateRange(from_=epoch_ms(start), to=epoch_ms(end), group_by=call.query.group_by)
    async with call.gateway.views.snapshot(long=True) as reader:
        spent = {name: await _by_day(reader, source, asked) for name, source in SOURCES.items()}
    return json_reply(
        CostSummary(
            date_range=asked,
            summary=_periods(spent, asked.group_by),
            totals=Spent(**_sums(spent, _all_days(spent))),
        )
    )


ENDPOINTS = (get_cost_summary,)


async def _by_day(reader: Reader, source: Source, asked: DateRange) -> Days:
    day = (source.at // DAY_MS).label("day")
    statement = (
        select(day, func.coalesce(func.sum(source.cost), 0).label("cost"))
        .where(source.at.between(asked.from_, asked.to), source.which)
        .group_by(day)
    )
    return {FIRST_DAY + timedelta(days=row["day"]): row["cost"] for row in await reader.all(statement)}


def _periods(spent: Mapping[str, Days], group_by: GroupBy) -> list[PeriodCost]:
    days: dict[str, list[date]] = defaultdict(list)
    for day in _all_days(spent):
        days[period_of(day, group_by)].append(day)
    return [PeriodCost(date=period, **_sums(spent, within)) for period, within in days.items()]


def _all_days(spent: Mapping[str, Days]) -> list[date]:
    return sorted({day for days in spent.values() for day in days})


def _sums(spent: Mapping[str, Days], within: Sequence[date]) -> dict[str, int]:
    sums = {name: sum(days.get(day, 0) for day in within) for name, days in spent.items()}
    return {**sums, "total_cost_usd": sum(sums.values())}
