"""The parts of a gateway that handlers use."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.agents_and_keys import AgentsAndKeys
from contracts.domain.agent import Directory
from contracts.domain.executors import Executors
from contracts.domain.keys import Keys
from contracts.llm import Llm
from contracts.runtime.blobs import Blobs
from contracts.runtime.catalogue import Catalogue
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log, Unavailable
from contracts.spending import SharedBudget
from gateway.access.authentication import Authenticate
from gateway.access.freshness import Freshness
from gateway.access.sessions import Sessions
from gateway.http.forms import FormMemory
from gateway.http.idempotency import Idempotency
from gateway.llm import LlmConfiguration
from gateway.settings import GatewaySettings
from gateway.state.execution_cache import ExecutionCache
from gateway.state.stored_plans import StoredPlans
from gateway.streams.feeds import Feeds
from gateway.streams.hub import Hub
from gateway.streams.limit import StreamLimit
from gateway.streams.log_feed import LogFeed
from gateway.views.progress import ViewsProgress
from gateway.views.reader import Views

ANSWER_S = 2.0
"""Seconds that a read that found nothing waits for the position of the newest commit."""
CATCH_UP_S = 10.0


def now() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


@dataclass
class Gateway:
    """The parts of one running gateway."""

    settings: GatewaySettings
    log: Log
    blobs: Blobs
    views: Views
    progress: ViewsProgress
    """The position of the views."""
    known: AgentsAndKeys
    """All agents and keys."""
    keys_freshness: Freshness
    """Whether `keys` are recent enough to authenticate by it."""
    authenticate: Authenticate
    sessions: Sessions
    """The requests of keys and users that are in progress."""
    executors: Executors
    """The executors that send heartbeats."""
    catalogue: Catalogue
    stored_plans: StoredPlans
    """The cache of DAGs."""
    hub: Hub
    feeds: Feeds
    """The streams of runs."""
    log_feed: LogFeed
    """The stream of the log."""
    stream_limit: StreamLimit
    llm: LlmConfiguration
    chat: Llm
    """The LLM client for single tasks. Planner and executors have their own."""
    shared: SharedBudget
    """The shared budget, from which single tasks are paid."""
    idempotency: Idempotency
    form_room: FormMemory = field(default_factory=FormMemory)
    execution_cache: ExecutionCache = field(default_factory=ExecutionCache)
    clock: Callable[[], datetime] = now
    agents_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Serialises changes of agents, because their names must be unique."""

    @property
    def agents(self) -> Directory:
        """All agents, as of a moment ago."""
        return self.known.agents

    @property
    def keys(self) -> Keys:
        """All keys, as of a moment ago."""
        return self.known.keys

    async def agents_current(self) -> Directory:
        """Return all agents as of now.

        Raises:
            Unavailable: the log could not be reached in time.
        """
        await _caught_up(self.known.agents_follower, "agents")
        return self.agents

    async def keys_current(self) -> Keys:
        """Return all keys as of now.

        Raises:
            Unavailable: the log could not be reached in time.
        """
        await _caught_up(self.known.keys_follower, "keys")
        return self.keys

    async def projected(self, seq: int, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds for the views to include `seq`. Return whether they do."""
        return await self.progress.reached(seq, self.settings.views_wait_s if timeout is None else timeout)

    async def current(self) -> bool:
        """Wait briefly for the views to include the newest commit of the log. Return whether they do.

        Raises:
            Unavailable: the log could not be reached.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                newest, state = await self.log.last_seq(), await self.log.state()
        except TimeoutError:
            raise Unavailable(f"the log did not answer within {ANSWER_S:g} s") from None
        return await self.views.belong_to(state) and await self.projected(newest)

    def llm_problem(self, provider: str | None = None, model: str | None = None) -> str | None:
        """Return which setting is missing to call the model, or None. None arguments mean the defaults."""
        return self.chat.problem(provider, model)


async def _caught_up(follower: Follower, what: str) -> None:
    try:
        async with asyncio.timeout(CATCH_UP_S):
            await follower.catch_up()
    except TimeoutError:
        raise Unavailable(f"the {what} did not catch up with the log within {CATCH_UP_S:g} s") from None
