"""The LLM client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from contracts.core.money import pico_usd
from contracts.core.spent import Estimate, Spent
from contracts.llm import metrics
from contracts.llm.adapting import AdaptedRequest, Restrictions, with_advice
from contracts.llm.answer import ModelAnswer, read_answer
from contracts.llm.backoff import Backoff
from contracts.llm.call import Call, OnAttempt, OnSend, price_of
from contracts.llm.chat import ChatRequest, Completion
from contracts.llm.endpoint import Endpoint, LlmNotConfigured, Provider, resolve
from contracts.llm.estimate import most_tokens
from contracts.llm.failure import CallFailed
from contracts.llm.parameters import Body, body_of
from contracts.llm.settings import LlmSettings

if TYPE_CHECKING:
    from contracts.llm.connection import Connection

MayRetry = Callable[[Spent], Awaitable[bool]]
"""Whether a call that has cost this much so far may be tried again."""


async def always(_: Spent) -> bool:
    """Retry whatever a call has cost."""
    return True


class Llm:
    """Chats with any configured provider. It makes no probe calls and reports every attempt."""

    def __init__(self, settings: LlmSettings, backoff: Backoff | None = None) -> None:
        self._settings = settings
        self._backoff = backoff or Backoff()
        self._turns = asyncio.Semaphore(settings.llm_max_concurrency)
        self._connecting = asyncio.Lock()
        self._open: Connection | None = None
        self._keep = () if settings.llm_structured_output == "auto" else ("response_format",)
        """Parameters that must be sent."""
        self._learnt: dict[tuple[Provider, str], Restrictions] = {}

    @property
    def concurrency(self) -> int:
        """Maximum number of calls in progress."""
        return self._settings.llm_max_concurrency

    def problem(self, provider: str | None = None, model: str | None = None) -> str | None:
        """What to set before this provider and model can be called; None: nothing is missing."""
        try:
            resolve(self._settings, provider, model)
        except LlmNotConfigured as missing:
            return str(missing)
        return None

    async def complete(
        self,
        request: ChatRequest,
        *,
        retries: int | None = None,
        on_attempt: OnAttempt | None = None,
        on_send: OnSend | None = None,
        may_retry: MayRetry = always,
    ) -> Completion:
        """The model's answer, after at most `retries` retries (default: LLM_RETRIES).

        A further attempt without a refused parameter, or with a conversation shortened to the context of the
        model, does not count as a retry.

        Raises:
            LlmNotConfigured: a setting is missing.
            Reject: the provider refused the request.
            Retry: the provider cannot answer now.
        """
        endpoint = resolve(self._settings, request.provider, request.model)
        call = Call(endpoint, request.tools, on_attempt, on_send)
        tries_left = self._settings.llm_retries if retries is None else retries
        asked = self._adapted(request, endpoint)
        while True:
            try:
                answer = await self._attempt(call, asked.body)
            except CallFailed as failure:
                adapted = asked.after(failure, self._keep)
                if adapted is not None and not (adapted.is_guess and failure.passing):
                    asked = adapted
                    continue
                delay = self._delay(call, failure) if tries_left else None
                if delay is None or not await may_retry(call.spent):
                    raise with_advice(failure).as_outcome(call.spent) from failure
                tries_left -= 1
                asked = adapted if adapted is not None and tries_left == 0 else asked
                await self._backoff.sleep(delay)
            else:
                self._learn(endpoint, asked.learnt)
                return call.completion(answer)

    def _delay(self, call: Call, failure: CallFailed) -> float | None:
        """Seconds until the next attempt; None: the failure does not pass soon."""
        return self._backoff.delay(call.passing_failures, failure.after) if failure.passing else None

    async def estimate(self, request: ChatRequest) -> Estimate:
        """The most that one attempt at `request` may cost.

        Ollama costs nothing. So does a model whose price is not known, if BUDGET_UNPRICED allows it.

        Raises:
            LlmNotConfigured: a setting is missing.
        """
        endpoint = resolve(self._settings, request.provider, request.model)
        tokens = most_tokens(body_of(request, endpoint, self._settings))
        if endpoint.provider is Provider.OLLAMA:
            return Estimate(tokens.total, 0, endpoint.model, is_free=True)
        cost = await asyncio.to_thread(price_of, endpoint, endpoint.model, tokens)
        if cost is None and self._settings.budget_unpriced == "allow":
            cost = Decimal(0)
        return Estimate(tokens.total, None if cost is None else pico_usd(str(cost)), endpoint.model)

    async def aclose(self) -> None:
        """Close all connections."""
        if self._open:
            await self._open.close()

    def _adapted(self, request: ChatRequest, endpoint: Endpoint) -> AdaptedRequest:
        known = self._learnt.get((endpoint.provider, endpoint.model), Restrictions())
        return AdaptedRequest.of(body_of(request, endpoint, self._settings), known)

    def _learn(self, endpoint: Endpoint, learnt: Restrictions) -> None:
        """Remember the refused parameters of a model. Only after an answer without them are they certain."""
        key = endpoint.provider, endpoint.model
        self._learnt[key] = self._learnt.get(key, Restrictions()).merged(learnt)

    async def _attempt(self, call: Call, body: Body) -> ModelAnswer:
        async with self._turn(call):
            call.sending(body)
            started = time.perf_counter()
            try:
                connection = await self._connection()
                text = await connection.post(call.endpoint, body)
                answer = read_answer(call.endpoint, text, call.offered)
            except CallFailed as failure:
                call.ended(failure, time.perf_counter() - started)
                await call.account(failure.bill, body if failure.may_be_charged else None)
                raise
            call.ended(None, time.perf_counter() - started)
        await call.account(answer.bill, body)
        return answer

    @asynccontextmanager
    async def _turn(self, call: Call) -> AsyncGenerator[None]:
        """Hold one of the LLM_MAX_CONCURRENCY places during the block. The wait for it counts as queued."""
        began = time.perf_counter()
        with metrics.WAITING.track_inprogress():
            await self._turns.acquire()
        call.queued_s += time.perf_counter() - began
        try:
            yield
        finally:
            self._turns.release()

    async def _connection(self) -> Connection:
        async with self._connecting:
            if self._open is None:
                self._open = await asyncio.to_thread(_connect, self._settings.llm_timeout_s)
            return self._open


def _connect(timeout_s: float) -> Connection:
    from contracts.llm.connection import Connection  # noqa: PLC0415 - heavy, see there

    return Connection(timeout_s)
