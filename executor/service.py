"""Builds the executor service."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import replace
from functools import partial

import orjson
from aiohttp import ClientSession, DummyCookieJar

from contracts.agents_and_keys import AgentsAndKeys
from contracts.core.event import Json
from contracts.core.ids import new_id
from contracts.core.subjects import EXECUTOR_ALIVE, live_run, state_filter
from contracts.core.text import clean_json
from contracts.domain.agent import Directory
from contracts.domain.executors import INTERVAL_S, ExecutorAlive
from contracts.domain.registry import CODEC
from contracts.domain.run import RUN, Status
from contracts.llm import Llm, LlmSettings
from contracts.runtime.catalogue import publish
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import DeliveryPolicy
from contracts.runtime.consumer.leases import Leases
from contracts.runtime.log import Log
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.service import Running, Service, Worker
from contracts.settings.redactor import SECRETS
from contracts.spending import SharedBudget
from executor.after_run.after_run import AT_ONCE, LOOK_BACK, SUBJECTS, AfterRun
from executor.after_run.after_run import NAME as AFTER_RUN
from executor.executor import Executor, until_drained, watch
from executor.goal.limits import Limits
from executor.goal.workload import AgentWorkload
from executor.plan.workload import PlanWorkload
from executor.policy.rules import PolicySettings
from executor.resources import Resources
from executor.settings import ExecutorSettings
from executor.tools.guard import guarded_session
from executor.tools.parsers import Parsers
from executor.tools.registry import Registry, build_registry
from executor.tools.settings import ToolSettings
from executor.tools.sources import ToolSource, listed, tool_sources
from executor.workload import Workloads

NAME = "executor"
QUEUE = state_filter(RUN.name, Status.PENDING)
STOPPED = (state_filter(RUN.name, Status.CANCELLED), state_filter(RUN.name, Status.DELETED))


@asynccontextmanager
async def build(settings: ExecutorSettings) -> AsyncGenerator[Running]:
    """Build the executor, with the log of `settings` and the tools and LLM of the environment."""
    tool_settings, llm_settings = ToolSettings(), LlmSettings()
    name = f"{settings.instance}-{new_id()[-8:]}"
    source = f"/{NAME}/{name}"
    async with (
        _tools(tool_settings) as (tools, sources),
        aclosing(Llm(llm_settings)) as llm,
        nats_log(settings, CODEC, name=NAME) as log,
        AgentsAndKeys(log).kept_in(settings.data_dir / f"{NAME}.snapshot") as (known, save),
        aclosing(SharedBudget(log, llm, settings.shared_budget, known.keys, source=source)) as shared,
    ):
        resources = _resources(settings, tools, llm, known.agents, log, shared)
        workloads = _workloads(settings, log, resources, _limits(settings, llm_settings))
        executor = Executor(log, workloads, name)
        public_url = str(settings.public_url or "")
        after_run = AfterRun(log, resources, settings.policy, source, public_url)
        await publish(log.connection, tools.specs)
        with _leases(settings, NAME) as runs_leases, _leases(settings, AFTER_RUN) as ends_leases:
            runs = _runs(settings, log, executor, runs_leases)
            ends = _ends(settings, log, after_run, ends_leases)
            workers: list[Worker] = [
                log.connection.watch,
                *(follower.run for follower in known.followers),
                save,
                partial(_consume, runs, executor, known, sources),
                ends.run,
                partial(_announce, log.connection, settings, tools),
                *(source.run for source in sources),
                *(partial(watch, log, executor, subjects) for subjects in STOPPED),
            ]
            yield Running(workers, {"nats": log.problem})


async def _consume(
    runs: Consumer, executor: Executor, known: AgentsAndKeys, sources: Sequence[ToolSource]
) -> None:
    """Carry out runs, once the agents, the keys and the tools are known."""
    await known.catch_up()
    await listed(sources)
    await until_drained(asyncio.create_task(runs.run()), executor)


@asynccontextmanager
async def _tools(settings: ToolSettings) -> AsyncGenerator[tuple[Registry, list[ToolSource]]]:
    """The tools of this process. Built before connecting to NATS, so that a wrong plug-in is told at once."""
    async with (
        guarded_session(settings.allowed_private_hosts, ports=settings.allowed_ports) as http,
        Parsers() as parsers,
        ClientSession(cookie_jar=DummyCookieJar()) as unguarded,
    ):
        tools = build_registry(settings, http, parsers)
        yield tools, tool_sources(settings, tools, unguarded)


def _resources(
    settings: ExecutorSettings,
    tools: Registry,
    llm: Llm,
    agents: Directory,
    log: NatsLog,
    shared: SharedBudget,
) -> Resources:
    return Resources(
        tools,
        llm,
        agents,
        log.format.blobs,
        partial(_publish_live, log.connection),
        max_steps=settings.executor_max_steps,
        timeout_s=settings.step_timeout_s,
        pay=shared.pay,
    )


def _workloads(settings: ExecutorSettings, log: Log, resources: Resources, limits: Limits) -> Workloads:
    policy, rules = settings.policy, PolicySettings().rules
    return {
        "plan": PlanWorkload(resources, policy, rules),
        "agent": AgentWorkload(log, resources, policy, limits, rules),
    }


def _leases(settings: ExecutorSettings, consumer: str) -> closing[Leases]:
    return closing(Leases(settings.data_dir / "leases" / consumer))


def _runs(settings: ExecutorSettings, log: NatsLog, executor: Executor, leases: Leases) -> Consumer:
    policy = _delivery(settings, settings.executor_max_runs)
    given_up = executor.given_up
    return Consumer(log, NAME, (QUEUE,), executor.handle, policy=policy, leases=leases, given_up=given_up)


def _ends(settings: ExecutorSettings, log: NatsLog, after_run: AfterRun, leases: Leases) -> Consumer:
    policy = replace(_delivery(settings, AT_ONCE), since=LOOK_BACK)
    return Consumer(log, AFTER_RUN, SUBJECTS, after_run.handle, policy=policy, leases=leases)


def _delivery(settings: ExecutorSettings, at_once: int) -> DeliveryPolicy:
    return DeliveryPolicy(max_in_flight=at_once, ack_wait_s=settings.lease_s, grace_s=settings.grace_s)


def _limits(settings: ExecutorSettings, llm: LlmSettings) -> Limits:
    return Limits(
        concurrent=settings.max_concurrent_runs,
        context_chars=settings.agent_context_chars,
        temperature=llm.default_temperature,
        max_tokens=llm.default_max_tokens,
    )


async def _publish_live(connection: Connection, run_id: str, message: dict[str, Json]) -> None:
    await connection.publish_ephemeral(live_run(run_id), SECRETS.json(orjson.dumps(clean_json(message))))


async def _announce(connection: Connection, settings: ExecutorSettings, tools: Registry) -> None:
    """Say at intervals that this process works, and which tools it has. Those of MCP servers come and go."""
    published = {spec.name: spec for spec in tools.specs}
    while True:
        changed = [spec for spec in tools.specs if published.get(spec.name) != spec]
        await publish(connection, changed)
        published |= {spec.name: spec for spec in changed}
        alive = ExecutorAlive(
            instance=settings.instance, capacity=settings.executor_max_runs, tools=tools.available
        )
        await connection.publish_ephemeral(EXECUTOR_ALIVE, alive.model_dump_json().encode())
        await asyncio.sleep(INTERVAL_S)


SERVICE = Service(NAME, ExecutorSettings, build)
