"""Processes that share a budget, for tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from contracts.core.commit import all_events
from contracts.core.event import Event
from contracts.core.spent import Spent
from contracts.domain.keys import Keys
from contracts.domain.shared_budget import BUDGET, PeriodBudget, State
from contracts.llm import ChatRequest, Completion, Llm, LlmSettings, MayRetry
from contracts.runtime.log import Log
from contracts.spending import SharedBudget

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
MONTH = "2026-11"
TODAY = NOON.date()
REQUEST = ChatRequest(messages=[{"role": "user", "content": "Hi"}], max_tokens=1000)
"""A call of gpt-4o that may cost about 0.01 dollars."""


def process(log: Log, *, service: str = "executor", name: str = "1", day: Any = None) -> SharedBudget:
    """One process with a limit per day."""
    settings: dict[str, Any] = {"llm_provider": "openai", "llm_model": "gpt-4o", "openai_api_key": "sk-key"}
    llm = Llm(LlmSettings(_env_file=None, **settings))
    system = PeriodBudget(usd_per_day=day)
    return SharedBudget(log, llm, system, Keys(), source=f"/{service}/{name}", clock=lambda: NOON)


def answer(cost: str | None) -> Completion:
    """An answer of a model that has cost so many dollars."""
    return Completion("Hi", (), "stop", Spent(cost_usd=cost), {}, None, ())


def answering(cost: str | None) -> Callable[[MayRetry], Awaitable[Completion]]:
    """A model that answers at once."""

    async def ask(_: MayRetry) -> Completion:
        return answer(cost)

    return ask


async def events(log: Log, month: str = MONTH) -> list[Event]:
    """What the log says about a month."""
    return all_events(one.commit for one in await log.read(BUDGET.name, month))


async def state(log: Log, month: str = MONTH) -> State:
    return BUDGET.fold(await events(log, month))
