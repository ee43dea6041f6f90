"""Several processes share a budget on one log."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from contracts.core.commit import Commit
from contracts.core.money import pico_usd
from contracts.core.outcome import Retry
from contracts.core.spent import Spent
from contracts.domain.registry import CODEC
from contracts.domain.shared_budget import LimitReached, Reserved
from contracts.llm import Completion, MayRetry
from contracts.runtime.log import Log, Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.wire import Format
from contracts.spending import Purpose, SharedBudget
from tests.spending import REQUEST, TODAY, answer, answering, events, process, state
from tests.waiting import WAIT_S

PROCESSES = 3
CALLS = 16
"""Calls of each process at once."""


async def at_once(processes: list[SharedBudget]) -> list[Completion | BaseException]:
    """All calls of all processes, which end at once."""
    async with asyncio.timeout(WAIT_S):
        outcomes = await asyncio.gather(
            *(
                one.pay(REQUEST, Purpose(f"run_{n}/{step}", None), answering("0.01"))
                for n, one in enumerate(processes)
                for step in range(CALLS)
            ),
            return_exceptions=True,
        )
        for one in processes:
            await one.aclose()
    return outcomes


class SharedBudgetBehaviour:
    """Each test is one rule."""

    async def test_many_calls_of_several_processes_end_and_each_is_counted(self, log: Log) -> None:
        outcomes = await at_once([process(log, name=str(n), day=100) for n in range(PROCESSES)])
        assert [one for one in outcomes if not isinstance(one, Completion)] == []
        after = await state(log)
        assert after.spent(None, "day", TODAY) == PROCESSES * CALLS * pico_usd("0.01")
        assert after.open == {}

    async def test_calls_that_could_exceed_the_limit_are_refused_whoever_makes_them(self, log: Log) -> None:
        limit = "0.2"
        outcomes = await at_once([process(log, name=str(n), day=limit) for n in range(PROCESSES)])
        made = sum(isinstance(one, Completion) for one in outcomes)
        assert sum(isinstance(one, LimitReached) for one in outcomes) == PROCESSES * CALLS - made
        assert 0 < made < PROCESSES * CALLS
        after = await state(log)
        assert after.spent(None, "day", TODAY) == made * pico_usd("0.01") <= pico_usd(limit)

    async def test_a_process_that_starts_later_knows_what_others_have_spent(self, log: Log) -> None:
        first = process(log, day="0.015")
        await first.pay(REQUEST, Purpose("run_1/1", None), answering("0.01"))
        await first.aclose()
        with pytest.raises(LimitReached, match=r"0\.01 of 0\.015 US dollars per day are spent, and"):
            await process(log, name="2", day="0.015").pay(REQUEST, Purpose("run_2/1", None), answering("1"))


class TestMemoryLog(SharedBudgetBehaviour):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog(CODEC)


@pytest.mark.nats
class TestNatsLog(SharedBudgetBehaviour):
    @pytest.fixture
    def log(self, connection: Connection) -> NatsLog:
        return NatsLog(connection, Format(CODEC, NatsBlobs(connection)))


# ── interleavings ───────────────────────────────────────────────────────────────────────────────────────


class UnsteadyLog(MemoryLog):
    """A log whose answers come in any order, and sometimes not at all."""

    def __init__(self, dice: Random) -> None:
        super().__init__(CODEC)
        self.dice = dice

    async def append(self, commit: Commit, *, after: int) -> int:
        await self.pause()
        if self.dice.random() < 0.1:
            raise Unavailable("not stored")
        if self.dice.random() < 0.1:
            self.lose_acks()
        seq = await super().append(commit, after=after)
        await self.pause()
        return seq

    async def pause(self) -> None:
        for _ in range(self.dice.randrange(4)):
            await asyncio.sleep(0)  # noqa: TID251  one turn of the event loop


@pytest.mark.parametrize("seed", range(12))
async def test_in_any_order_of_events_the_limit_holds_and_no_call_is_forgotten(seed: int) -> None:
    """A call fails, is cancelled, or its process dies: what it may have cost counts."""
    dice = Random(seed)
    log = UnsteadyLog(dice)
    limit, paid = pico_usd("0.3"), 0

    async def ask(_: MayRetry) -> Completion:
        nonlocal paid
        await log.pause()
        if dice.random() < 0.2:
            raise Retry("busy")
        paid += pico_usd("0.01")
        await log.pause()
        return answer("0.01")

    async def call(one: SharedBudget, step: int) -> None:
        work = asyncio.create_task(one.pay(REQUEST, Purpose(f"run/{step}", None), ask))
        if dice.random() < 0.2:
            await log.pause()
            work.cancel()
        await asyncio.wait([work], timeout=WAIT_S)
        assert work.done()
        if not work.cancelled():
            assert isinstance(work.exception(), LimitReached | Unavailable | Retry | None)

    processes = [process(log, name=str(n), day="0.3") for n in range(PROCESSES)]
    await asyncio.gather(*(call(one, step) for one in processes for step in range(CALLS)))
    for one in processes:
        await one.aclose()
    after = await state(log)
    counted = after.spent(None, "day", TODAY) + after.reserved(None, "day", TODAY)
    assert paid <= counted <= limit
    assert any(isinstance(event, Reserved) for event in await events(log))


# ── retries ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_each_charged_attempt_of_a_call_is_reserved_before_it_is_made() -> None:
    """An attempt costs 0.01 dollars and may cost 0.0101, so there is room for two."""
    log = MemoryLog(CODEC)
    one = process(log, day="0.025")
    attempts = 1

    async def ask(may_retry: MayRetry) -> Completion:
        nonlocal attempts
        while await may_retry(Spent(cost_usd=f"{attempts / 100}")):
            attempts += 1
        raise Retry("empty", spent=Spent(cost_usd=f"{attempts / 100}"))

    with pytest.raises(Retry):
        await one.pay(REQUEST, Purpose("dag_1/1", None), ask)
    await one.aclose()
    after = await state(log)
    assert (attempts, after.spent(None, "day", TODAY), after.open) == (2, pico_usd("0.02"), {})
    reserved = [event for event in await events(log) if isinstance(event, Reserved)]
    assert len(reserved) == 2


async def test_a_retry_after_attempts_that_cost_nothing_keeps_its_reservation() -> None:
    log = MemoryLog(CODEC)
    one = process(log, day="0.015")

    async def ask(may_retry: MayRetry) -> Completion:
        assert await may_retry(Spent())
        assert await may_retry(Spent())
        return answer("0.01")

    await one.pay(REQUEST, Purpose("dag_1/1", None), ask)
    await one.aclose()
    after = await state(log)
    assert (after.spent(None, "day", TODAY), after.open) == (pico_usd("0.01"), {})
    assert len([event for event in await events(log) if isinstance(event, Reserved)]) == 1


# ── clocks ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_at_the_end_of_a_month_counts_in_that_month_only() -> None:
    log = MemoryLog(CODEC)
    one = process(log, day=1)
    one.clock = lambda: datetime(2026, 11, 30, 23, 59, 59, 999_999, tzinfo=UTC)

    async def ask_past_midnight(_: MayRetry) -> Completion:
        one.clock = lambda: datetime(2026, 12, 1, tzinfo=UTC)
        return answer("0.01")

    await one.pay(REQUEST, Purpose("run_1/1", None), ask_past_midnight)
    await one.pay(REQUEST, Purpose("run_1/2", None), answering("0.02"))
    await one.aclose()
    november, december = await state(log, "2026-11"), await state(log, "2026-12")
    assert (november.system.month, november.open) == (pico_usd("0.01"), {})
    assert (december.system.month, december.open) == (pico_usd("0.02"), {})


async def test_a_clock_that_is_set_back_over_midnight_begins_no_day_again() -> None:
    log = MemoryLog(CODEC)
    one = process(log, day="0.015")
    morning = datetime(2026, 11, 29, 0, 1, tzinfo=UTC)
    one.clock = lambda: morning
    await one.pay(REQUEST, Purpose("run_1/1", None), answering("0.01"))
    await one.aclose()
    one.clock = lambda: morning - timedelta(hours=1)
    with pytest.raises(LimitReached):
        await one.pay(REQUEST, Purpose("run_1/2", None), answering("0.01"))
