"""Runs while the log does not answer, and what begins before the log has it."""

from __future__ import annotations

import asyncio

from contracts.core.event import Json
from contracts.core.outcome import Reject
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Status
from contracts.runtime.stream import transact
from executor.tools.tool import CallContext
from tests.services.executor.system import ORIGIN, RUN_ID, Calls, System, handle, handling, task, tool
from tests.waiting import WAIT_S

# ── without a log ───────────────────────────────────────────────────────────────────────────────────────


async def test_the_result_of_a_once_step_survives_an_outage_of_the_log() -> None:
    """Its sibling ends while the log is away; both results are kept until it is back."""
    once, sibling = Calls(), Calls()
    system = System(tool("send", once.wait, Effect.ONCE), tool("wait", sibling.wait))
    lease = await system.request(task("001", "send"), task("002", "wait"), task("003", needs=["001", "002"]))
    async with handling(system.executor(), lease) as working:
        await asyncio.wait_for(asyncio.gather(once.called.wait(), sibling.called.wait()), WAIT_S)
        system.log.away.set()
        sibling.gate.set()
        await system.log.refuses(3)
        assert once.cancelled == sibling.cancelled == 0
        once.gate.set()
        await system.log.refuses(3)
        system.log.away.clear()
        await working
    assert (await system.state()).status is Status.COMPLETED
    assert (len(once.keys), len(sibling.keys)) == (1, 1)
    assert not any(isinstance(event, run.StepFailed) for event in await system.events())


async def test_whether_an_unacknowledged_commit_was_stored_is_read_as_soon_as_the_log_answers() -> None:
    calls = Calls()
    system = System(tool("count", calls.count, Effect.ONCE))
    lease = await system.request(task("001", "count"), task("002", "count", needs=["001"]))
    system.log.lose_acks(1)
    system.log.unreadable = 3
    await handle(system.executor(), lease)
    assert (await system.state()).status is Status.COMPLETED
    assert calls.keys == [f"{RUN_ID}/001", f"{RUN_ID}/002"]


async def test_an_executor_that_is_stopped_during_an_outage_ends() -> None:
    blocked = Calls()
    system = System(tool("wait", blocked.wait))
    lease = await system.request(task("001", "wait"), task("002", "wait"))
    executor = system.executor()
    async with handling(executor, lease) as working:
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        system.log.away.set()
        executor.drain()
        blocked.gate.set()
        await system.log.refuses(2)
        working.cancel()
        await asyncio.wait_for(asyncio.wait([working]), WAIT_S)
    system.log.away.clear()
    assert (await system.state()).status is Status.RUNNING
    await handle(system.executor(), lease, attempt=2)
    assert (await system.state()).status is Status.COMPLETED


async def test_a_large_result_that_cannot_be_stored_yet_is_kept() -> None:
    calls = Calls()

    async def grow(_: Json, call: CallContext) -> Json:
        system.log.shelf.away = 3
        return await calls.count("x" * 100_000, call)

    system = System(tool("grow", grow, Effect.ONCE))
    await handle(system.executor(), await system.request(task("001", "grow")))
    assert (await system.state()).status is Status.COMPLETED
    assert len(calls.keys) == 1


async def test_a_step_whose_input_cannot_be_fetched_now_is_retried() -> None:
    async def grow(_: Json, __: CallContext) -> Json:
        return "x" * 100_000

    system = System(tool("grow", grow))
    lease = await system.request(task("001", "grow"), task("002", value="<Result of Task 1>", needs=["001"]))
    system.log.shelf.unreadable = 1
    await handle(system.executor(), lease)
    assert (await system.state()).status is Status.COMPLETED
    assert [e.step for e in await system.events() if isinstance(e, run.StepFailed)] == ["002"]


# ── ahead of the log ────────────────────────────────────────────────────────────────────────────────────


async def test_only_steps_that_change_nothing_begin_before_their_start_is_in_the_log() -> None:
    reads, writes, last = Calls(), Calls(), Calls()
    system = System(
        tool("read", reads.count),
        tool("write", writes.count, Effect.IDEMPOTENT),
        tool("last", last.wait),
    )
    lease = await system.request(
        task("001", "read"),
        task("002", "read", needs=["001"]),
        task("003", "write", needs=["002"]),
        task("004", "last", needs=["002"]),
    )
    system.log.open.clear()
    async with handling(system.executor(), lease) as working:
        await asyncio.wait_for(last.called.wait(), WAIT_S)
        assert reads.keys == [f"{RUN_ID}/001", f"{RUN_ID}/002"]
        assert writes.keys == []
        assert (await system.state()).status is Status.PENDING
        system.log.open.set()
        last.gate.set()
        await working
    assert (await system.state()).status is Status.COMPLETED
    assert writes.keys == [f"{RUN_ID}/003"]


async def test_steps_that_ran_ahead_of_the_log_do_not_count_if_the_run_was_cancelled() -> None:
    reads, last = Calls(), Calls()
    system = System(tool("read", reads.count), tool("last", last.wait))
    lease = await system.request(task("001", "read"), task("002", "last", needs=["001"]))
    system.log.open.clear()
    async with handling(system.executor(), lease) as working:
        await asyncio.wait_for(last.called.wait(), WAIT_S)
        held, system.log.open = system.log.open, asyncio.Event()
        system.log.open.set()
        await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "no"), ORIGIN)
        held.set()
        await working
    assert last.cancelled == 1
    assert [type(event) for event in await system.events()] == [run.Requested, run.Cancelled]


async def test_an_outcome_too_large_for_a_commit_fails_its_step_and_discards_the_decisions_after_it() -> None:
    after = Calls()

    async def shout(_: Json, __: CallContext) -> Json:
        raise Reject("x" * 600_000)

    system = System(tool("shout", shout), tool("after", after.count))
    lease = await system.request(task("001", "shout"), task("002", "after"), task("003", needs=["002"]))
    await handle(system.executor(), lease)
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "too large" in state.failed["001"]
    assert set(state.done) == {"002", "003"}
    assert after.keys == [f"{RUN_ID}/002"]
