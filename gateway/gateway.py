"""What every handler works with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from contracts.domain.agent import Directory
from contracts.domain.executors import Executors
from contracts.llm import Llm
from contracts.runtime.blobs import Blobs
from contracts.runtime.catalogue import Catalogue
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log, Unavailable
from gateway.http.forms import FormRoom
from gateway.http.idempotency import Idempotency
from gateway.llm import LlmConfiguration
from gateway.settings import GatewaySettings
from gateway.state.execution_cache import ExecutionCache
from gateway.state.stored_plans import StoredPlans
from gateway.streams.feeds import Feeds
from gateway.streams.hub import Hub
from gateway.streams.log_feed import LogFeed
from gateway.views.progress import Progress
from gateway.views.reader import Views

ANSWER_S = 2.0
"""A read that found nothing asks the log for its newest commit; it waits this long for the answer."""
CATCH_UP_S = 10.0


def now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


@dataclass
class Gateway:
    """The parts of one running gateway."""

    settings: GatewaySettings
    log: Log
    blobs: Blobs
    views: Views
    progress: Progress
    """How far the views are."""
    agents: Directory
    agents_follower: Follower
    """What keeps `agents` current."""
    executors: Executors
    """Which executors are alive."""
    catalogue: Catalogue
    stored_plans: StoredPlans
    """What can be executed."""
    hub: Hub
    feeds: Feeds
    """The executions being watched."""
    log_feed: LogFeed
    """The log being watched."""
    llm: LlmConfiguration
    chat: Llm
    """For single tasks; what plans and runs ask of a model is asked elsewhere."""
    idempotency: Idempotency
    form_room: FormRoom = field(default_factory=FormRoom)
    execution_cache: ExecutionCache = field(default_factory=ExecutionCache)
    clock: Callable[[], datetime] = now
    agents_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One change of agents at a time: their names are unique among all of them."""

    async def agents_current(self) -> Directory:
        """Every agent there is at this moment.

        Raises:
            Unavailable: the log could not be reached in time.
        """
        try:
            async with asyncio.timeout(CATCH_UP_S):
                await self.agents_follower.catch_up()
        except TimeoutError:
            raise Unavailable(f"the agents did not catch up with the log within {CATCH_UP_S:g} s") from None
        return self.agents

    async def projected(self, seq: int, timeout: float | None = None) -> bool:
        """Whether the views include the commit at `seq`, after waiting up to `timeout` seconds for it."""
        return await self.progress.reached(seq, self.settings.views_wait_s if timeout is None else timeout)

    async def current(self) -> bool:
        """Whether the views include all that is in the log at this moment, after waiting for it a little.

        Raises:
            Unavailable: the log could not be reached.
        """
        try:
            async with asyncio.timeout(ANSWER_S):
                newest = await self.log.last_seq()
        except TimeoutError:
            raise Unavailable(f"the log did not answer within {ANSWER_S:g} s") from None
        return await self.projected(newest)

    def llm_problem(self, provider: str | None = None, model: str | None = None) -> str | None:
        """What to set before these can be called (None stands for the default); None when they can."""
        return self.chat.problem(provider, model)
