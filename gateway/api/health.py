"""Health: whether the process answers, and whether it can serve requests."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from dataclasses import dataclass

from aiohttp import web
from sqlalchemy import func, select

from contracts.api.fields import epoch_ms
from contracts.api.health import BUILDING, Alive, DagScheduler, Queue, Readiness, Scheduler
from contracts.core.scopes import Scope
from contracts.domain.agent import ESSENTIAL_AGENTS
from contracts.domain.run import Status
from contracts.runtime.log import LogState, Unavailable
from contracts.runtime.process.sidecar import Check
from contracts.views import HAS_SCHEDULE, IS_UNENDED, VIEWS_VERSION, checkpoint, dags, runs
from gateway.api.schedules.conditions import DAG_FIRES, GOAL_FIRES
from gateway.api.unknown_agents import NO_AGENTS
from gateway.endpoint import Call, endpoint
from gateway.gateway import Gateway
from gateway.http import metrics
from gateway.http.replies import json_reply
from gateway.views.reader import ViewsUnavailable

TAG = "health"
ANSWER_S = 2.0
"""Seconds to wait for an answer of NATS."""
KEEP_UP_S = 1.0
"""Seconds after which views that do not include a commit lag behind."""
OK = "ok"

NO_LOG = f"the log did not answer within {ANSWER_S:g} s; look at nats-server, or set NATS_URL to another"
OLD_VIEWS = "the views have another version; start the projector of this version"
OTHER_LOG = "the views are of an earlier log; the projector rebuilds them"
NO_EXECUTOR = "no executor has sent a heartbeat recently; start one with `async-agent run executor`"


@endpoint(
    "GET", "/health", summary="Check that the process answers", tag=TAG, scope=None, responses={200: Alive}
)
async def get_health(call: Call[None, None]) -> web.StreamResponse:
    """Does not check the other parts of the system."""
    return json_reply(Alive(timestamp=epoch_ms(call.gateway.clock())))


@endpoint(
    "GET",
    "/health/ready",
    summary="Check that the system can serve requests",
    tag=TAG,
    scope=None,
    responses={200: Readiness, 503: Readiness},
)
async def get_readiness(call: Call[None, None]) -> web.StreamResponse:
    """Without a language model the system is not ready, although jobs that have only tool steps can run.

    Needs no key. Without the scope `read`, the answer names no model, executors and schedules.
    """
    readiness = await _readiness(call.gateway)
    if not call.principal.may(Scope.READ):
        readiness = readiness.for_strangers()
    return json_reply(readiness, 503 if readiness.problems else 200)


ENDPOINTS = (get_health, get_readiness)


def checks(gateway: Gateway) -> dict[str, Check]:
    """Return the readiness checks of this process, for its side port."""

    async def nats() -> str | None:
        return (await _log_state(gateway)).problem

    async def database() -> str | None:
        log, found = await asyncio.gather(_log_state(gateway), _read_views(gateway))
        _measure(gateway, found)
        return _views_problem(gateway, found, log.newest)

    return {"nats": nats, "database": database}


def _measure(gateway: Gateway, found: _ViewsState | str) -> None:
    """Set the gauges of the views."""
    with contextlib.suppress(OSError):
        metrics.DISK_FREE.set(shutil.disk_usage(gateway.settings.views_file.parent).free)
    if isinstance(found, str):
        return
    metrics.RUNS.labels(Status.PENDING).set(found.waiting)
    metrics.RUNS.labels(Status.RUNNING).set(found.running)
    age_ms = 0 if found.oldest is None else epoch_ms(gateway.clock()) - found.oldest
    metrics.OLDEST_RUN.set(max(0, age_ms) / 1000)


@dataclass(frozen=True, slots=True)
class _ViewsState:
    """State that is read from the views."""

    seq: int
    version: int
    waiting: int
    running: int
    schedules: list[str]
    """Ids of DAGs with an active schedule."""
    goal_schedules: int = 0
    """Number of active schedules of goals."""
    oldest: int | None = None
    """When the oldest waiting or running run was requested."""


@dataclass(frozen=True, slots=True)
class _Log:
    """State of the log."""

    newest: int | None
    """Sequence of the newest commit. None if the log does not answer."""
    problem: str | None
    """Why the log does not accept commits. None if it does."""
    state: LogState | None = None
    """None if the log does not answer."""


NOTHING = _ViewsState(0, VIEWS_VERSION, 0, 0, [])


async def _readiness(gateway: Gateway) -> Readiness:
    log, found = await asyncio.gather(_log_state(gateway), _read_views(gateway))
    newest = log.newest
    lag = None if newest is None or isinstance(found, str) else max(0, newest - found.seq)
    seen = NOTHING if isinstance(found, str) else found
    alive = gateway.executors.alive()
    most = gateway.settings.max_concurrent_runs
    checked = {
        "nats": log.problem,
        "database": _views_problem(gateway, found, newest) or await _origin_problem(gateway, log),
        "projector": await _lag_problem(gateway, newest) if newest and lag else None,
        "planner": NO_AGENTS if any(map(gateway.agents.awaits, ESSENTIAL_AGENTS)) else None,
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
        warnings=gateway.settings.warnings,
        timestamp=epoch_ms(gateway.clock()),
    )


async def _log_state(gateway: Gateway) -> _Log:
    """Return the state of the log."""
    problem = newest = state = None
    with contextlib.suppress(TimeoutError, Unavailable):
        async with asyncio.timeout(ANSWER_S):
            problem = await gateway.log.problem()
            newest, state = await gateway.log.last_seq(), await gateway.log.state()
    return _Log(newest, problem or (NO_LOG if newest is None else None), state)


async def _read_views(gateway: Gateway) -> _ViewsState | str:
    """Return the state from the views, or why they cannot be read."""
    oldest = func.min(runs.c.created_at).label("oldest")
    unended = select(runs.c.status, func.count(), oldest).where(IS_UNENDED).group_by(runs.c.status)
    of_goals = select(func.count()).where(GOAL_FIRES)
    try:
        async with gateway.views.snapshot(long=True) as reader:
            reached = await reader.first(select(checkpoint.c.seq, checkpoint.c.version))
            unended_rows = await reader.all(unended)
            scheduled = await reader.all(select(dags.c.id).where(HAS_SCHEDULE, DAG_FIRES))
            goal_schedules = await reader.value(of_goals)
    except ViewsUnavailable as error:
        return str(error)
    counts = {row["status"]: row["count"] for row in unended_rows}
    seq, version = (reached["seq"], reached["version"]) if reached else (0, 0)
    return _ViewsState(
        seq,
        version,
        waiting=counts.get(Status.PENDING, 0),
        running=counts.get(Status.RUNNING, 0),
        schedules=sorted(row["id"] for row in scheduled),
        goal_schedules=goal_schedules,
        oldest=min((row["oldest"] for row in unended_rows), default=None),
    )


def _views_problem(gateway: Gateway, found: _ViewsState | str, newest: int | None) -> str | None:
    """Return why the views are missing or of another version; None if they are current."""
    if not isinstance(found, str) and found.version == VIEWS_VERSION:
        return None
    built = gateway.views.building()
    if built is not None:
        return f"{BUILDING}: {built} of {newest}"
    return found if isinstance(found, str) else OLD_VIEWS


async def _origin_problem(gateway: Gateway, log: _Log) -> str | None:
    """Return the problem if the views were built from a log that this one replaced, or None."""
    with contextlib.suppress(ViewsUnavailable):
        if log.state and not await gateway.views.belong_to(log.state):
            return OTHER_LOG
    return None


async def _lag_problem(gateway: Gateway, newest: int) -> str | None:
    """Return the problem if the views still lag behind after a short wait, or None."""
    if await gateway.projected(newest, KEEP_UP_S):
        return None
    return "the views lag behind the log; is a projector running (`async-agent run projector`)?"
