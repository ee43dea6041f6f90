"""The attempts of one call of a model: what they cost, how long they waited, and how they ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import structlog

from contracts.core.event import Json, Usage
from contracts.core.money import decimal_text
from contracts.core.spent import Spent, Unbilled
from contracts.llm import metrics
from contracts.llm.answer import ModelAnswer
from contracts.llm.bill import Bill, Tokens
from contracts.llm.chat import Completion, Exchange
from contracts.llm.endpoint import Endpoint
from contracts.llm.estimate import most_tokens
from contracts.llm.failure import CallFailed
from contracts.llm.parameters import Body

OnAttempt = Callable[[Exchange], None]
OnSend = Callable[[Body], None]
"""Receives the body of each attempt."""


class Call:
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
        tokens, cost = (bill.tokens, await self._cost_of(bill)) if bill else (None, None)
        if bill is not None:
            metrics.count_answer(self.endpoint, tokens, cost)
        if tokens is not None:
            self._usage = (self._usage or Usage()) + tokens.as_usage()
        if cost is not None:
            self._cost = (self._cost or Decimal(0)) + cost
        if body is not None and (most := await self._missing(tokens, cost, body)):
            self._unbilled = (self._unbilled or Unbilled()) + most

    async def _missing(self, tokens: Tokens | None, cost: Decimal | None, body: Body) -> Unbilled | None:
        """The most that a bill lacks may have cost; None: it lacks nothing, or the price is not known."""
        used, usd = tokens or most_tokens(body), None
        if cost is None:
            usd = await asyncio.to_thread(price_of, self.endpoint, self.endpoint.model, used)
        if tokens is not None and usd is None:
            return None
        return Unbilled(tokens=0 if tokens else used.total, usd=None if usd is None else decimal_text(usd))

    async def _cost_of(self, bill: Bill) -> Decimal | None:
        if bill.charged is not None or bill.tokens is None:
            return bill.charged
        return await asyncio.to_thread(
            price_of, self.endpoint, bill.model or self.endpoint.model, bill.tokens
        )

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


def price_of(endpoint: Endpoint, model: str, tokens: Tokens) -> Decimal | None:
    """The price of these tokens by the list of prices; None: the model is not in it."""
    from contracts.llm.prices import price  # noqa: PLC0415 - heavy, see there

    return price(endpoint, model, tokens)
