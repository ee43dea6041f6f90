"""Assembles and runs the gateway."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from functools import partial

import structlog

from contracts.agents_and_keys import AgentsAndKeys
from contracts.core import subjects
from contracts.domain.executors import Executors
from contracts.domain.keys import Keys
from contracts.domain.registry import CODEC
from contracts.llm import Llm, LlmSettings
from contracts.runtime.blobs import Blobs
from contracts.runtime.catalogue import Catalogue, watch
from contracts.runtime.key_value import KeyValue, NatsKeyValue
from contracts.runtime.log import Log
from contracts.runtime.nats_log import nats_log
from contracts.runtime.process.service import Running, Service, Worker
from contracts.runtime.process.settings import Auth
from contracts.spending import SharedBudget
from gateway.access.authentication import Authenticate, KeyHolders, nobody_asked
from gateway.access.freshness import Freshness
from gateway.access.oidc.issuer import IssuerKeys
from gateway.access.oidc.tokens import Expected, Tokens
from gateway.access.sessions import Sessions
from gateway.api.health import checks
from gateway.app import create_app
from gateway.gateway import Gateway, now
from gateway.http.idempotency import Idempotency
from gateway.http.server import serving
from gateway.llm import LlmConfiguration
from gateway.settings import GatewaySettings
from gateway.state.budget_gauges import BudgetGauges
from gateway.state.stored_plans import StoredPlans
from gateway.streams.feeds import Feeds, Live, NatsLive
from gateway.streams.hub import Hub
from gateway.streams.limit import StreamLimit
from gateway.streams.log_feed import LogFeed
from gateway.views.progress import ViewsProgress
from gateway.views.reader import Views

NAME = "gateway"

logger = structlog.get_logger(__name__)


@asynccontextmanager
async def build(settings: GatewaySettings) -> AsyncGenerator[Running]:
    """Run one gateway with the NATS and the views of the settings."""
    llm = LlmConfiguration(LlmSettings())
    async with nats_log(settings, CODEC, name=NAME) as log, open_views(settings) as views:
        connection = log.connection
        key_values = NatsKeyValue(connection, replicated=log.replicated)
        blobs, live = log.format.blobs, NatsLive(connection)
        gateway = assemble(settings, log, blobs, key_values, views, llm, live)
        await connection.listen(subjects.PROJECTED, lambda payload: gateway.progress.announce(int(payload)))
        await connection.listen(subjects.EXECUTOR_ALIVE, gateway.executors.record_heartbeat)
        background = (connection.watch, partial(watch, connection, gateway.catalogue))
        async with (
            gateway.known.kept_in(settings.data_dir / f"{NAME}.snapshot") as (_, save),
            running(gateway, *background, save) as (_, worker),
        ):
            yield Running([worker], checks(gateway))


def assemble(
    settings: GatewaySettings,
    log: Log,
    blobs: Blobs,
    key_values: KeyValue,
    views: Views,
    llm: LlmConfiguration,
    live: Live | None = None,
) -> Gateway:
    """Create the parts of the gateway without starting them."""
    progress, executors = ViewsProgress(views.position), Executors(time.monotonic)
    known, source = AgentsAndKeys(log), f"/{NAME}/{settings.instance}"
    freshness = Freshness(known.keys_follower)
    hub, chat = Hub(log, progress.reached), Llm(llm.settings)
    return Gateway(
        settings=settings,
        log=log,
        blobs=blobs,
        views=views,
        progress=progress,
        known=known,
        keys_freshness=freshness,
        authenticate=authenticating(settings, known.keys, freshness),
        sessions=Sessions(now),
        executors=executors,
        catalogue=Catalogue(offered=executors.offered),
        stored_plans=StoredPlans(log),
        hub=hub,
        feeds=Feeds(hub, log, blobs, now, live),
        log_feed=LogFeed(hub, log, CODEC, now),
        stream_limit=StreamLimit(settings.max_streams),
        llm=llm,
        chat=chat,
        shared=SharedBudget(log, chat, settings.shared_budget, known.keys, source=source),
        idempotency=Idempotency(key_values),
    )


@asynccontextmanager
async def running(gateway: Gateway, *workers: Worker) -> AsyncGenerator[tuple[int, Worker]]:
    """Serve HTTP and run `workers` and the gateway's own workers until the end of the block.

    Yields the port, and a worker that fails if one of the others fails.
    """
    followers = (*(one.run for one in gateway.known.followers), gateway.hub.run)
    access = (gateway.keys_freshness.run, gateway.sessions.run)
    gauges = BudgetGauges(gateway.shared, gateway.settings.shared_budget, gateway.keys, now)
    async with kept_running(*followers, *access, gauges.run, *workers) as failure:
        await gateway.agents_current()
        _warn(gateway.settings, await gateway.keys_current())
        async with (
            aclosing(gateway.chat),
            aclosing(gateway.shared),
            serving(create_app(gateway), gateway.settings) as port,
        ):
            yield port, failure


def authenticating(settings: GatewaySettings, keys: Keys, freshness: Freshness) -> Authenticate:
    """Return how requests are authenticated, by AUTH."""
    if settings.auth_mode is Auth.OFF:
        return nobody_asked
    issuer, audience = settings.oidc_issuer, settings.oidc_audience
    if settings.auth_mode is Auth.KEYS or issuer is None or audience is None:
        return KeyHolders(keys, freshness.require, now).authenticate
    expected = Expected(issuer, audience, settings.oidc_roles_claim, settings.role_scopes)
    tokens = Tokens(IssuerKeys(issuer), expected, now)
    return KeyHolders(keys, freshness.require, now, tokens.principal).authenticate


def _warn(settings: GatewaySettings, keys: Keys) -> None:
    for warning in settings.warnings.values():
        logger.warning(warning)
    if settings.auth_mode is Auth.KEYS and not keys.all():
        logger.warning(
            "no key exists yet: create one with `async-agent keys create <name> --scope admin --data <dir>`"
        )


@asynccontextmanager
async def open_views(settings: GatewaySettings) -> AsyncGenerator[Views]:
    """Open the views, and close them at the end of the block."""
    views = Views(settings.views_file)
    try:
        yield views
    finally:
        await views.close()


@asynccontextmanager
async def kept_running(*workers: Worker) -> AsyncGenerator[Worker]:
    """Run `workers` until the end of the block, so that requests in progress can still use them.

    Yields a worker that fails if one of them fails.
    """
    tasks = [asyncio.ensure_future(worker()) for worker in workers]

    async def failure() -> None:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            await task

    try:
        yield failure
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


SERVICE = Service(NAME, GatewaySettings, build)
