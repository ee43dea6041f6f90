"""Calls models within the shared budget."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple

from contracts.core.actors import key_name, of_service
from contracts.core.ids import unique
from contracts.core.money import pico_usd
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.core.writers import service_of
from contracts.domain.keys import Keys
from contracts.domain.shared_budget import (
    BUDGET,
    UNLIMITED,
    Call,
    LimitReached,
    Limits,
    PeriodBudget,
    State,
    month_of,
    reserve,
    settle,
)
from contracts.llm import ChatRequest, Completion, Llm, MayRetry, always
from contracts.runtime.log import Log
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Origin, Stream
from contracts.spending.ledger import Ledger


class Purpose(NamedTuple):
    """What a call of a model is for."""

    by: str
    """See `contracts.domain.shared_budget.Reserved.by`."""
    payer: str | None
    """The actor who pays, see contracts.domain.payer."""


Ask = Callable[[MayRetry], Awaitable[Completion]]
"""Calls the model. A retry of the call is paid for by itself."""
Pay = Callable[[ChatRequest, Purpose, Ask], Awaitable[Completion]]
"""Calls a model if the shared budget allows it, and counts its cost. Raises LimitReached otherwise."""


class Held(NamedTuple):
    """A reservation that is not settled."""

    month: str
    """The month in which it counts."""
    call: str


async def unlimited(_: ChatRequest, __: Purpose, ask: Ask) -> Completion:
    """Pay without any limit."""
    return await ask(always)


class SharedBudget:
    """The shared budget as one process sees it. A call that no limit applies to costs nothing extra."""

    def __init__(
        self,
        log: Log,
        llm: Llm,
        system: PeriodBudget,
        keys: Keys,
        *,
        source: str,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`source`: of the commits."""
        self._llm = llm
        self._system = system
        self._keys = keys
        self.clock = clock
        self._turns = asyncio.Semaphore(llm.concurrency)
        self._unsettled = 0
        """Number of reservations of this process that will be settled."""
        self._settled = asyncio.Event()
        """Set when the next reservation of this process is settled."""
        self._log = log
        self._origin = Origin(source, actor=of_service(service_of(source)))
        self._ledger = Ledger(log, self._origin)

    def limits(self, payer: str | None) -> Limits:
        """The limits for calls that `payer` pays for."""
        name = key_name(payer)
        return Limits(name, self._system, self._keys.budget(name) if name else UNLIMITED)

    async def pay(self, request: ChatRequest, purpose: Purpose, ask: Ask) -> Completion:
        """The answer of the model. See Pay.

        Raises:
            LimitReached: the call could exceed a limit, so it was not made.
            LlmNotConfigured: a setting is missing.
            Unavailable: the log could not be reached.
            Retry: `ask` raised it. The same holds for Reject.
        """
        limits = self.limits(purpose.payer)
        if not limits.are_set:
            return await ask(always)
        needed = await self._llm.estimate(request)
        if needed.is_free:
            return await ask(always)
        async with self._turns:  # what waits for its turn reserves nothing
            return await self._paid(Call(unique(), purpose.by, needed), limits, ask)

    async def read(self) -> State:
        """What is spent and reserved in the current month, according to the log.

        Raises:
            Unavailable: the log could not be reached.
        """
        return (await Stream.open(self._log, BUDGET, month_of(self.clock()), self._origin)).state

    async def aclose(self) -> None:
        """Wait a little for what is not written yet."""
        await self._ledger.aclose()

    async def _paid(self, call: Call, limits: Limits, ask: Ask) -> Completion:
        held: Held | None = await self._reserve(call, limits)
        counted, cost = 0, None

        async def may_retry(spent: Spent) -> bool:
            """Settle what the attempts so far have cost, and reserve the next one."""
            nonlocal held, counted
            more = (_cost(spent) or 0) - counted
            if held and more:
                ended, held, counted = held, None, counted + more
                await self._settle(ended, more, limits)
                with suppress(LimitReached):
                    held = await self._reserve(call._replace(id=unique()), limits)
            return held is not None

        try:
            completion = await ask(may_retry)
            cost = _cost(completion.spent)
        except (Retry, Reject) as failure:
            if failure.spent is not None:
                cost = _cost(failure.spent) or 0
            raise
        finally:
            if held:
                self._settle_later(held, None if cost is None else cost - counted, limits)
        return completion

    async def _reserve(self, call: Call, limits: Limits) -> Held:
        """Reserve the most that a call may cost.

        Where only reservations are in the way, it waits for those of this process, which may end cheaper.
        """
        while True:
            settled, now = self._settled, self.clock()
            month = month_of(now)
            try:
                await self._ledger.decide(month, partial(reserve, call=call, limits=limits, now=now))
            except LimitReached as limit:
                if not (self._unsettled and limit.reached.may_fit_later):
                    raise
                await settled.wait()
            except BaseException:  # it may have been written nevertheless, and no call is made
                self._unsettled += 1
                self._settle_later(Held(month, call.id), 0, limits)
                raise
            else:
                self._unsettled += 1
                return Held(month, call.id)

    def _settle_later(self, held: Held, cost: int | None, limits: Limits) -> None:
        self._ledger.run_later(self._settle(held, cost, limits))

    async def _settle(self, held: Held, cost: int | None, limits: Limits) -> None:
        decide = partial(settle, call_id=held.call, cost=cost, limits=limits, now=self.clock())
        write = partial(self._ledger.decide, held.month, decide)
        try:
            await retry_forever(write, what="to settle what a call of a model has cost")
        finally:
            self._unsettled -= 1
            self._settled.set()
            self._settled = asyncio.Event()


def _cost(spent: Spent) -> int | None:
    """What a call has cost, with the most that it may have cost where there is no bill. None: unknown."""
    reported = pico_usd(spent.cost_usd)
    unbilled = pico_usd(spent.unbilled.usd) if spent.unbilled else None
    return None if reported is None and unbilled is None else (reported or 0) + (unbilled or 0)
