"""Health: whether the process answers, and whether it can serve requests."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import func, select

from contracts.api.fields import epoch_ms
from contracts.api.health import BUILDING, Alive, DagScheduler, Queue, Readiness, Scheduler
from contracts.domain.run import Status
from contracts.runtime.continuity import WAY_OUT
from contracts.runtime.log import Unavailable
from contracts.runtime.process.sidecar import Check
from contracts.views import HAS_SCHEDULE, IS_UNENDED, VIEWS_VERSION, checkpoint, dags, runs
from gateway.api.schedules.firing import DAG_FIRES, GOAL_FIRES
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http.replies import json_reply
from gateway.views.reader import ViewsUnavailable

TAG = "health"
ANSWER_S = 2.0
"""NATS answers within this, or is not there."""
KEEP_UP_S = 1.0
"""Views that do not include a commit after this are behind."""
OK = "ok"

NO_LOG = "NATS does not answer; start it, or set NATS_URL to where it is"
OLD_VIEWS = "the views are of another version; start the projector of this one"
NO_EXECUTOR = "no executor has been heard of lately; start one with `async-agent run executor`"


@endpoint("GET", "/health", summary="Whether the process answers", tag=TAG, responses={200: Alive})
async def get_health(call: Call[None, None]) -> web.StreamResponse:
    """Checks nothing but the process itself."""
    return json_reply(Alive(timestamp=epoch_ms(call.gateway.clock())))


@endpoint(
    "GET",
    "/health/ready",
    summary="Whether the system can serve requests",
    tag=TAG,
    responses={200: Readiness, 503: Readiness},
)
async def get_readiness(call: Call[None, None]) -> web.StreamResponse:
    """Without a language model it is not ready, although jobs of tool steps only can run."""
    readiness = await _readiness(call.gateway)
    return json_reply(readiness, 503 if readiness.problems else 200)


ENDPOINTS = (get_health, get_readiness)


def checks(gateway: Gateway) -> dict[str, Check]:
    """What the side port asks: whether this process can serve."""

    async def nats() -> str | None:
        return _log_problem(await _log_state(gateway))

    async def database() -> str | None:
        log, found = await asyncio.gather(_log_state(gateway), _look(gateway))
        return _views_problem(gateway, found, log.newest if log else None)

    return {"nats": nats, "database": database}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the views say."""

    seq: int
    version: int
    waiting: int
    running: int
    schedules: list[str]
    """Ids of DAGs that fire by themselves."""
    goal_schedules: int = 0
    """Schedules of goals that fire."""


@dataclass(frozen=True, slots=True)
class _Log:
    """What the log says."""

    newest: int
    halted: str
    """Why it takes no commits; empty while it takes them."""


NOTHING = _Seen(0, VIEWS_VERSION, 0, 0, [])


async def _readiness(gateway: Gateway) -> Readiness:
    log, found = await asyncio.gather(_log_state(gateway), _look(gateway))
    newest = log.newest if log else None
    lag = None if newest is None or isinstance(found, str) else max(0, newest - found.seq)
    seen = NOTHING if isinstance(found, str) else found
    alive = gateway.executors.alive()
    most = gateway.settings.max_concurrent_runs
    checked = {
        "nats": _log_problem(log),
        "database": _views_problem(gateway, found, newest),
        "projector": await _lag_problem(gateway, newest) if newest and lag else None,
        "executor": None if alive else NO_EXECUTOR,
        "llm": gateway.llm_problem(),
    }
    problems = {name: problem for name, problem in checked.items() if problem}
    provider, model = gateway.llm.default
    return Readiness(
        status="not ready" if problems else "ready",
        error="; ".join(problems.values()) or None,
        provider=provider,
        model=model,
        scheduler=Scheduler(
            active_schedules=len(seen.schedules) + seen.goal_schedules,
            max_concurrency=most,
            queue=Queue(size=seen.waiting, pending=seen.running, concurrency=most),
        ),
        dag_scheduler=DagScheduler(active_schedules=len(seen.schedules), schedules=seen.schedules),
        database=problems.get("database", OK),
        llm_provider=provider,
        nats=problems.get("nats", OK),
        projector_lag=lag,
        executors=sorted({executor.instance for executor in alive}),
        llm=problems.get("llm", OK),
        problems=problems,
        timestamp=epoch_ms(gateway.clock()),
    )


async def _log_state(gateway: Gateway) -> _Log | None:
    """What the log says, None when it does not answer."""
    try:
        async with asyncio.timeout(ANSWER_S):
            return _Log(await gateway.log.last_seq(), (await gateway.log.state()).halted)
    except (TimeoutError, Unavailable):
        return None


def _log_problem(log: _Log | None) -> str | None:
    if log is None:
        return NO_LOG
    return f"{log.halted}. {WAY_OUT}" if log.halted else None


async def _look(gateway: Gateway) -> _Seen | str:
    """What the views say, or why they say nothing."""
    unended = select(runs.c.status, func.count()).where(IS_UNENDED).group_by(runs.c.status)
    of_goals = select(func.count()).where(GOAL_FIRES)
    try:
        async with gateway.views.snapshot(long=True) as reader:
            reached = await reader.first(select(checkpoint.c.seq, checkpoint.c.version))
            counts = {row["status"]: row["count"] for row in await reader.all(unended)}
            scheduled = await reader.all(select(dags.c.id).where(HAS_SCHEDULE, DAG_FIRES))
            goal_schedules = await reader.value(of_goals)
    except ViewsUnavailable as error:
        return str(error)
    waiting, running = counts.get(Status.PENDING, 0), counts.get(Status.RUNNING, 0)
    seq, version = (reached["seq"], reached["version"]) if reached else (0, 0)
    return _Seen(seq, version, waiting, running, sorted(row["id"] for row in scheduled), goal_schedules)


def _views_problem(gateway: Gateway, found: _Seen | str, newest: int | None) -> str | None:
    """Why the views are not those of today's version, None when they are."""
    if not isinstance(found, str) and found.version == VIEWS_VERSION:
        return None
    built = gateway.views.building()
    if built is not None:
        return f"{BUILDING}: {built} of {newest}"
    return found if isinstance(found, str) else OLD_VIEWS


async def _lag_problem(gateway: Gateway, newest: int) -> str | None:
    """That the views, which are behind, still are a moment later."""
    if await gateway.projected(newest, KEEP_UP_S):
        return None
    return "the views do not follow the log; is a projector running (`async-agent run projector`)?"
