"""How long a local system is waited for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from contracts.api.health import BUILDING
from contracts.runtime.continuity import WAY_OUT
from deploy.local.forks import ForkServer
from deploy.local.system import LocalSystem, NotStarted

POLLS = 20
"""More than fit into WAIT_S: each takes a pause of its own."""
WAIT_S = 0.3


def readiness(*problems: str) -> dict[str, Any]:
    return {
        "status": "not ready" if problems else "ready",
        "provider": "",
        "model": "",
        "scheduler": {
            "activeSchedules": 0,
            "maxConcurrency": 1,
            "queue": {"size": 0, "pending": 0, "concurrency": 1, "isPaused": False},
        },
        "dagScheduler": {"activeSchedules": 0, "schedules": []},
        "database": "ok",
        "llmProvider": "",
        "nats": "ok",
        "projectorLag": 0,
        "executors": [],
        "llm": "ok",
        "problems": {str(n): problem for n, problem in enumerate(problems)},
        "warnings": {},
        "timestamp": 0,
    }


@asynccontextmanager
async def answering(problems: Sequence[str]) -> AsyncGenerator[LocalSystem]:
    """A system whose gateway has one problem after another, and then none."""
    left = iter(problems)

    async def ready(_: web.Request) -> web.Response:
        problem = next(left, None)
        body = readiness(problem) if problem else readiness()
        return web.json_response(body, status=503 if problem else 200)

    app = web.Application()
    app.router.add_get("/health/ready", ready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield LocalSystem(f"http://127.0.0.1:{runner.addresses[0][1]}", "", None, ForkServer({}))
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    "problem", [f"{BUILDING}: {{}} of {POLLS}", f"the log regressed at seq {{}}. {WAY_OUT}"]
)
async def test_a_system_that_builds_its_views_or_needs_its_operator_is_not_given_up(problem: str) -> None:
    told: list[str] = []
    problems = [problem.format(n) for n in range(POLLS)]
    async with answering(problems) as system:
        assert (await system.ready(WAIT_S, told.append)).is_serving
    assert told == problems


async def test_a_system_with_another_problem_is_given_up_after_a_while() -> None:
    async with answering(["NATS does not answer"] * 10_000) as system:
        with pytest.raises(NotStarted, match="NATS does not answer"):
            await system.ready(WAIT_S)
