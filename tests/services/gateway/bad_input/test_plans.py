"""A plan, or a schedule, that cannot be executed is refused whole."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.services.gateway.bad_input.refusals import JOB, JSON, Refusals

if TYPE_CHECKING:
    from tests.services.conftest import Api


def job_of(needs: dict[str, list[str]], thought: str = "") -> dict[str, Any]:
    """A job of steps that do nothing: each step, the steps it needs."""
    job = JOB.model_dump(mode="json")
    (step,) = job["sub_tasks"]
    step |= {"description": "d", "thought": thought, "expected_output": ""}
    return job | {"sub_tasks": [step | {"id": id_, "dependencies": needed} for id_, needed in needs.items()]}


RING = {f"{n:03}": [f"{n - 1:03}"] for n in range(1, 500)} | {"000": ["499"]}


@pytest.mark.parametrize("wrapped", [True, False], ids=["job", "bare"])
@pytest.mark.parametrize(
    ("job", "status", "told"),
    [
        (job_of({f"{n}": [] for n in range(5000)}), 400, "5000 sub-tasks are too many: give at most 2000"),
        (job_of({f"{n}": [] for n in range(5000)}, "x" * 100), 413, "send at most 1 MiB"),
        (job_of({f"{n}": [f"{n - 1}"] for n in range(5000)}), 400, "5000 sub-tasks are too many"),
        (job_of({"a": ["a"]}), 400, "'a' cannot depend on itself"),
        (job_of({"a": ["b"], "b": ["a"]}), 400, "circle (a → b → a)"),
        (job_of(RING), 400, "circle"),
        (job_of({"a": [], "b": ["c", "a"], "c": ["b"]}), 400, "circle (b → c → b)"),
    ],
    ids=["5000 steps", "5000 long steps", "a chain of 5000", "itself", "two", "500", "two of three"],
)
async def test_a_job_too_large_or_going_in_circles_is_refused_whole(
    api: Api, refusals: Refusals, job: Any, status: int, told: str, wrapped: bool
) -> None:
    """It is answered at once, says what is wrong with the job, and no DAG and no execution is written."""
    written = await api.log.last_seq()
    body = io.BytesIO(orjson.dumps({"job": job} if wrapped else job))
    asking = api.call("POST", "/api/v1/execute-dag", data=body, headers=JSON)
    answer = await refusals.expect(asking, status, about="execute-dag")
    assert told in str(answer.json), answer.json
    assert await api.log.last_seq() == written


CREATE_DAG = {"goal-text": "g", "agentName": "Planner"}
SCHEDULES: list[tuple[str, str, Callable[[Any, Any], Any]]] = [
    ("POST", "/api/v1/create-dag", lambda cron, zone: CREATE_DAG | {"cronSchedule": cron, "timezone": zone}),
    (
        "POST",
        "/api/v1/create-and-execute-dag",
        lambda cron, zone: CREATE_DAG | {"cronSchedule": cron, "timezone": zone},
    ),
    ("PATCH", "/api/v1/dags/d1", lambda cron, zone: {"cronSchedule": cron, "timezone": zone}),
    (
        "POST",
        "/api/v1/goals",
        lambda cron, zone: {"objective": "reach it soon", "schedule": {"cronExpr": cron, "timezone": zone}},
    ),
    ("POST", "/api/v1/goals/g1/schedules", lambda cron, zone: {"cronExpr": cron, "timezone": zone}),
]


@pytest.mark.parametrize(
    ("cron", "zone", "error"),
    [
        ("nonsense", "UTC", "Invalid cron expression"),
        ("61 * * * *", "UTC", "Invalid cron expression"),
        ("* * * *", "UTC", "Invalid cron expression"),
        ("0 0 31 2 *", "UTC", "Invalid cron expression"),
        ("@sometimes", "UTC", "Invalid cron expression"),
        ("0 9 * * *", "Mars/Olympus", "Invalid timezone"),
        ("0 9 * * *", "../../etc/passwd", "Invalid timezone"),
        ("0 9 * * *", "", "Invalid timezone"),
    ],
)
async def test_an_invalid_schedule_is_refused_wherever_it_is_given(
    api: Api, refusals: Refusals, cron: str, zone: str, error: str
) -> None:
    for method, path, body in SCHEDULES:
        answer = await refusals.expect(
            api.call(method, path, json=body(cron, zone)), 400, about=f"{method} {path}"
        )
        assert answer.json["error"] == error, f"{method} {path}"
