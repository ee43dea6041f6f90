"""What was spent over time. Sums are exact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta

from aiohttp import web
from sqlalchemy import Column, func, select

from contracts.api.costs import CostQuery, CostSummary, DateRange, GroupBy, PeriodCost, Spent
from contracts.api.fields import epoch_ms
from contracts.views import dags, executions
from gateway.api.costs.periods import NotAMoment, moment, period_of
from gateway.endpoint import Call, endpoint
from gateway.http.errors import Refusal
from gateway.http.replies import json_reply
from gateway.views.reader import Reader

DAY_MS = 24 * 60 * 60 * 1000
DEFAULT_FROM = "30d"
FIRST_DAY = date(1970, 1, 1)
INVALID = "Invalid parameters"


@endpoint(
    "GET",
    "/api/v1/costs/summary",
    summary="What was spent, by day, week or month",
    tag="costs",
    query=CostQuery,
    responses={200: CostSummary},
    invalid=INVALID,
)
async def get_cost_summary(call: Call[None, CostQuery]) -> web.StreamResponse:
    """Plans count on the day they were asked for, executions on the day they ended; all in UTC.

    A period with either is listed, whatever it cost.
    """
    now = call.gateway.clock()
    start = _moment("from", call.query.from_ or DEFAULT_FROM, now)
    end = _moment("to", call.query.to, now) if call.query.to else now
    asked = DateRange(from_=epoch_ms(start), to=epoch_ms(end), group_by=call.query.group_by)
    async with call.gateway.views.snapshot(long=True) as reader:
        planned = await _by_day(reader, dags.c.planning_cost_pico, dags.c.created_at, asked)
        executed = await _by_day(reader, executions.c.cost_pico, executions.c.completed_at, asked)
    return json_reply(
        CostSummary(
            date_range=asked,
            summary=_periods(planned, executed, asked.group_by),
            totals=Spent(**_spent(planned.values(), executed.values())),
        )
    )


ENDPOINTS = (get_cost_summary,)


def _moment(name: str, text: str, now: datetime) -> datetime:
    try:
        return moment(text, now)
    except NotAMoment as error:
        issue = {"code": "invalid_date", "path": [name], "message": str(error)}
        raise Refusal(400, INVALID, validation_errors=[issue]) from None


async def _by_day(reader: Reader, cost: Column[int], at: Column[int], asked: DateRange) -> dict[date, int]:
    day = (at // DAY_MS).label("day")
    statement = (
        select(day, func.coalesce(func.sum(cost), 0).label("cost"))
        .where(at.between(asked.from_, asked.to))
        .group_by(day)
    )
    return {FIRST_DAY + timedelta(days=row["day"]): row["cost"] for row in await reader.all(statement)}


def _periods(
    planned: Mapping[date, int], executed: Mapping[date, int], group_by: GroupBy
) -> list[PeriodCost]:
    days: dict[str, list[date]] = defaultdict(list)
    for day in sorted({*planned, *executed}):
        days[period_of(day, group_by)].append(day)
    return [
        PeriodCost(
            date=period,
            **_spent((planned.get(day, 0) for day in within), (executed.get(day, 0) for day in within)),
        )
        for period, within in days.items()
    ]


def _spent(planned: Iterable[int], executed: Iterable[int]) -> dict[str, int]:
    planning, execution = sum(planned), sum(executed)
    return {
        "planning_cost_usd": planning,
        "execution_cost_usd": execution,
        "total_cost_usd": planning + execution,
    }
