"""The LLM client."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

import structlog

from contracts.core.event import Json, Usage
from contracts.core.money import decimal_text, pico_usd
from contracts.core.spent import Estimate, Spent, Unbilled
from contracts.llm import metrics
from contracts.llm.adapting import AdaptedRequest, Restrictions, with_advice
from contracts.llm.answer import ModelAnswer, read_answer
from contracts.llm.backoff import Backoff
from contracts.llm.bill import Bill, Tokens
from contracts.llm.chat import ChatRequest, Completion, Exchange
from contracts.llm.endpoint import Endpoint, LlmNotConfigured, Provider, resolve
from contracts.llm.estimate import most_tokens
from contracts.llm.failure import CallFailed
from contracts.llm.parameters import Body, body_of
from contracts.llm.settings import LlmSettings

if TYPE_CHECKING:
    from contracts.llm.connection import Connection

OnAttempt = Callable[[Exchange], None]
OnSend = Callable[[Body], None]
"""Receives the body of each attempt."""
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
        call = _Call(endpoint, request.tools, on_attempt, on_send)
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
                delay = self._backoff.delay(call.passing_failures, failure.after)
                if not failure.passing or not tries_left or delay is None or not await may_retry(call.spent):
                    raise with_advice(failure).as_outcome(call.spent) from failure
                tries_left -= 1
                asked = adapted if adapted is not None and tries_left == 0 else asked
                await self._backoff.sleep(delay)
            else:
                self._learn(endpoint, asked.learnt)
                return call.completion(answer)

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
        cost = await asyncio.to_thread(_price, endpoint, endpoint.model, tokens)
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

    async def _attempt(self, call: _Call, body: Body) -> ModelAnswer:
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
    async def _turn(self, call: _Call) -> AsyncGenerator[None]:
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


class _Call:
    """The attempts of one call."""

    def __init__(
        self,
        endpoint: Endpoint,
        tools: Sequence[Mapping[str, Json]],
        on_attempt: OnAttempt | None,
        on_send: OnSend | None,
    ) -> None:
        self.endpoint = endpoint
        self.offered = [name for tool in tools if (name := _name_of(tool))]
        """Names of the allowed tools."""
        self.passing_failures = 0
        self.queued_s = 0.0
        """Seconds that the attempts waited for other calls of this process."""
        self._on_attempt = on_attempt
        self._on_send = on_send
        self._attempts: list[Exchange] = []
        self._usage: Usage | None = None
        self._cost: Decimal | None = None
        self._unbilled: Unbilled | None = None
        self._log = structlog.get_logger(__name__).bind(provider=str(endpoint.provider), model=endpoint.model)

    def sending(self, body: Body) -> None:
        """Report what is about to be sent."""
        if self._on_send is not None:
            self._on_send({"model": self.endpoint.model, **body})

    def ended(self, failure: CallFailed | None, seconds: float) -> None:
        """Record, count and log the end of an attempt."""
        error, status = (None, 200) if failure is None else (str(failure), failure.status)
        attempt = Exchange(len(self._attempts) + 1, error, status, round(seconds * 1000))
        self._attempts.append(attempt)
        metrics.count_attempt(self.endpoint, failure, seconds)
        if failure is not None:
            self.passing_failures += failure.passing
            self._log.warning("llm attempt failed", attempt=attempt.number, status=status, error=error)
        if self._on_attempt is not None:
            self._on_attempt(attempt)

    async def account(self, bill: Bill | None, body: Body | None) -> None:
        """Add what an attempt has cost, with a usable answer or not.

        What the bill does not say counts at the most that it may be for `body`; None: as nothing.
        """
        model, tokens, cost = self.endpoint.model, None, None
        if bill is not None:
            tokens, cost = bill.tokens, await self._cost_of(bill)
            metrics.count_answer(self.endpoint, tokens, cost)
        if tokens is not None:
            self._usage = (self._usage or Usage()) + tokens.as_usage()
        if cost is not None:
            self._cost = (self._cost or Decimal(0)) + cost
        if body is None or (tokens is not None and cost is not None):
            return
        used = tokens or most_tokens(body)
        usd = None if cost is not None else await asyncio.to_thread(_price, self.endpoint, model, used)
        if tokens is None or usd is not None:
            most = Unbilled(tokens=0 if tokens else used.total, usd=None if usd is None else str(usd))
            self._unbilled = (self._unbilled or Unbilled()) + most

    async def _cost_of(self, bill: Bill) -> Decimal | None:
        if bill.charged is not None or bill.tokens is None:
            return bill.charged
        return await asyncio.to_thread(_price, self.endpoint, bill.model or self.endpoint.model, bill.tokens)

    @property
    def spent(self) -> Spent:
        """Usage and cost of the call so far."""
        return Spent(
            usage=self._usage,
            cost_usd=None if self._cost is None else decimal_text(self._cost),
            provider=self.endpoint.provider.value,
            model=self.endpoint.model,
            unbilled=self._unbilled,
        )

    def completion(self, answer: ModelAnswer) -> Completion:
        """The answer with the cost and the attempts of the call."""
        return Completion(
            content=answer.content,
            tool_calls=answer.tool_calls,
            finish_reason=answer.finish_reason,
            spent=self.spent,
            generation_stats=self._stats(answer),
            reasoning=answer.reasoning,
            attempts=tuple(self._attempts),
            problem=answer.problem,
        )

    def _stats(self, answer: ModelAnswer) -> dict[str, Json]:
        stats = {
            "id": answer.id,
            "model": answer.bill.model,
            "provider": answer.upstream,
            "latency": self._attempts[-1].duration_ms,
            "queued_ms": round(self.queued_s * 1000),
            "finish_reason": answer.finish_reason,
            "native_finish_reason": answer.native_finish_reason,
            "total_cost": None if self._cost is None else float(self._cost),
        }
        return {name: value for name, value in stats.items() if value is not None}


def _name_of(tool: Mapping[str, Json]) -> str | None:
    function = tool.get("function")
    return str(function["name"]) if isinstance(function, Mapping) and "name" in function else None


def _price(endpoint: Endpoint, model: str, tokens: Tokens) -> Decimal | None:
    from contracts.llm.prices import price  # noqa: PLC0415 - heavy, see there

    return price(endpoint, model, tokens)
