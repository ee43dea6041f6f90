"""Schedules of one goal, as clients give and see them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests import jobs

if TYPE_CHECKING:
    from tests.services.conftest import Api

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
OBJECTIVE = "Find out what grows here"
GOAL_URL = "/api/v1/goals/goal_1"
SCHEDULES = f"{GOAL_URL}/schedules"
JOB = jobs.job()


async def add(api: Api, **body: Any) -> Any:
    answer = await api.post(SCHEDULES, {"cronExpr": "0 9 * * *", **body})
    assert answer.status == 201, answer.body
    return answer.json


async def listed(api: Api) -> Any:
    answer = await api.get(SCHEDULES)
    assert answer.status == 200
    return answer.json


BAD: list[tuple[dict[str, Any], str]] = [
    ({"cronExpr": 5}, "cronExpr"),
    ({"cronExpr": None}, "cronExpr"),
    ({"timezone": None}, "timezone"),
    ({"overlap": "maybe"}, "overlap"),
    ({"overlap": None}, "overlap"),
    ({"catchUpSeconds": -1}, "catchUpSeconds"),
    ({"catchUpSeconds": "60"}, "catchUpSeconds"),
    ({"jitterSeconds": 3601}, "jitterSeconds"),
    ({"jitterSeconds": 1.5}, "jitterSeconds"),
    ({"paused": "true"}, "paused"),
    ({"paused": None}, "paused"),
]
