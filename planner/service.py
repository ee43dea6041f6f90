"""Builds the planner service."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager, closing
from datetime import UTC, datetime
from functools import partial

from contracts.agents_and_keys import AgentsAndKeys
from contracts.core.actors import of_service
from contracts.core.subjects import EXECUTOR_ALIVE, state_filter
from contracts.domain.dag import DAG, Status
from contracts.domain.executors import Executors
from contracts.domain.registry import CODEC
from contracts.llm import Llm, LlmSettings
from contracts.runtime.catalogue import Catalogue, watch
from contracts.runtime.consumer.consumer import Consumer
from contracts.runtime.consumer.delivery import DeliveryPolicy
from contracts.runtime.consumer.leases import Leases
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.service import Running, Service, Worker
from contracts.runtime.stream import Origin
from contracts.spending import SharedBudget
from planner.default_agents import default_agents
from planner.planner import Planner
from planner.seed import seed_agents
from planner.settings import PlannerSettings

NAME = "planner"


@asynccontextmanager
async def build(settings: PlannerSettings) -> AsyncGenerator[Running]:
    """Build the planner, with the log of `settings` and the LLM of the environment."""
    source = f"/{NAME}/{settings.instance}"
    executors = Executors(time.monotonic)
    catalogue = Catalogue(offered=executors.offered)
    async with (
        aclosing(Llm(LlmSettings())) as llm,
        nats_log(settings, CODEC, name=NAME) as log,
        AgentsAndKeys(log).kept_in(settings.data_dir / f"{NAME}.snapshot") as (known, save),
        aclosing(SharedBudget(log, llm, settings.shared_budget, known.keys, source=source)) as shared,
    ):
        agents, follower = known.agents, known.agents_follower
        planner = Planner(log, llm, agents, follower, catalogue, source, now, shared.pay)
        await log.connection.listen(EXECUTOR_ALIVE, executors.record_heartbeat)
        with closing(Leases(settings.data_dir / "leases" / NAME)) as leases:
            policy = DeliveryPolicy(max_in_flight=settings.max_concurrent_plans, grace_s=settings.grace_s)
            queue = state_filter(DAG.name, Status.REQUESTED)
            consumer = Consumer(
                log, NAME, (queue,), planner.handle, policy=policy, leases=leases, given_up=planner.given_up
            )

            async def consume() -> None:
                await known.catch_up()
                await seed_agents(log, agents, default_agents(), Origin(source, actor=of_service(NAME)))
                await consumer.run()

            watching = partial(watch, log.connection, catalogue)
            following: list[Worker] = [*(one.run for one in known.followers), save]
            yield Running([log.connection.watch, *following, watching, consume], {"nats": log.problem})


def now() -> datetime:
    """The current time in UTC."""
    return datetime.now(UTC)


SERVICE = Service(NAME, PlannerSettings, build)
