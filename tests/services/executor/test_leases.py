"""Runs whose executor is killed, drained or outrun, and those whose message is given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from contracts.core.commit import Recorded
from contracts.core.event import Json
from contracts.core.outcome import LeaseLost, Reject, Retry
from contracts.core.subjects import state_filter
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Status
from contracts.domain.run.steps import SYNTHESIS
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.stream import transact
from executor.executor import watch
from executor.tools.registry import Registry
from executor.tools.tool import CallContext
from tests.services.executor.system import (
    ORIGIN,
    RUN_ID,
    Calls,
    Delivery,
    System,
    deliver,
    handle,
    handling,
    task,
    tool,
)
from tests.waiting import WAIT_S

WIDE = 1000


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


# ── leases ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_crash_another_executor_repeats_no_completed_step() -> None:
    calls, blocked = Calls(), Calls()
    system = System(tool("count", calls.count), tool("wait", blocked.wait))
    lease = await system.request(task("001", "count"), task("002", "wait", needs=["001"]))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
    blocked.gate.set()
    await handle(system.executor(), lease, attempt=2)
    assert (await system.state()).status is Status.COMPLETED
    assert calls.keys == [f"{RUN_ID}/001"]
    assert blocked.keys == [f"{RUN_ID}/002"] * 2


async def test_a_step_that_must_not_be_repeated_is_asked_about_after_a_crash() -> None:
    blocked = Calls()
    system = System(tool("send", blocked.wait, Effect.ONCE))
    lease = await system.request(task("001", "send"))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
    blocked.gate.set()
    await handle(system.executor(), lease, attempt=2)
    assert "whether it took effect is unknown" in (await system.state()).failed["001"]
    await handle(system.executor(), await system.resume())
    assert (await system.state()).status is Status.COMPLETED
    assert len(blocked.keys) == 2


async def test_an_executor_that_lost_its_lease_stops_and_its_result_does_not_count() -> None:
    blocked = Calls()
    system = System(tool("wait", blocked.wait))
    lease = await system.request(task("001", "wait", "x"), task("002", needs=["001"]))
    async with handling(system.executor(), lease) as zombie:
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        blocked.called.clear()
        async with handling(system.executor(), lease, attempt=2) as heir:
            await asyncio.wait_for(blocked.called.wait(), WAIT_S)
            blocked.gate.set()
            await asyncio.wait([zombie, heir])
            assert isinstance(zombie.exception(), LeaseLost)
            assert heir.exception() is None
    completed = [e.step for e in await system.events() if isinstance(e, run.StepCompleted)]
    assert sorted(completed) == sorted(["001", "002", SYNTHESIS])


async def test_two_executors_offered_one_run_start_it_once() -> None:
    calls = Calls()
    system = System(tool("count", calls.count))
    lease = await system.request(task("001", "count"))
    executors = (system.executor(), system.executor())
    ends = await asyncio.gather(*(handle(one, lease) for one in executors), return_exceptions=True)
    assert all(end is None or isinstance(end, LeaseLost) for end in ends)
    assert (await system.state()).status is Status.COMPLETED
    assert sum(isinstance(e, run.Started) for e in await system.events()) == 1


async def test_an_old_message_put_back_while_the_run_is_resumed_does_not_share_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both are of the same process, which could not tell one's start of the run from the other's."""
    calls, reading, readable = Calls(), asyncio.Event(), asyncio.Event()
    system = System(tool("count", calls.count, Effect.ONCE))
    read = system.log.read

    async def read_slowly(aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        reading.set()
        await readable.wait()
        return await read(aggregate, aggregate_id, after=after)

    old = await system.request(task("001", "count"))
    executor = system.executor()
    await executor.given_up(old, OverflowError("a bug"))
    new = await system.resume()
    monkeypatch.setattr(system.log, "read", read_slowly)
    async with handling(executor, new) as second:
        await asyncio.wait_for(reading.wait(), WAIT_S)
        system.log.asked.clear()
        system.log.open.clear()
        async with handling(executor, old) as first:
            await asyncio.wait_for(system.log.asked.wait(), WAIT_S)
            readable.set()
            with pytest.raises(Retry):
                await second
            system.log.open.set()
            await first
    await handle(executor, new, attempt=2)
    assert (await system.state()).status is Status.COMPLETED
    assert calls.keys == [f"{RUN_ID}/001"]


async def test_a_stale_lease_does_not_take_the_run_from_its_owner() -> None:
    """The message of the first start, redelivered after the run was resumed and taken by another."""
    blocked = Calls()

    async def refuse_once(value: Json, call: CallContext) -> Json:
        if not blocked.keys:
            blocked.keys.append("first")
            raise Reject("not yet")
        return await blocked.wait(value, call)

    system = System(tool("refuse_once", refuse_once))
    stale = await system.request(task("001", "refuse_once"))
    await handle(system.executor(), stale)
    async with handling(system.executor(), await system.resume()) as holder:
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        await handle(system.executor(), stale, attempt=2)
        blocked.gate.set()
        await asyncio.wait([holder])
    assert not any(isinstance(e, run.TakenOver) for e in await system.events())


async def test_draining_finishes_what_is_in_progress_and_leaves_the_rest_to_another() -> None:
    blocked = Calls()
    system = System(tool("wait", blocked.wait))
    lease = await system.request(task("001", "wait"), task("002", needs=["001"]))
    executor = system.executor()
    async with handling(executor, lease) as leaving:
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        executor.drain()
        blocked.gate.set()
        await asyncio.wait([leaving])
        assert isinstance(leaving.exception(), Retry)
    assert set((await system.state()).done) == {"001"}
    await handle(system.executor(), lease, attempt=2)
    assert (await system.state()).status is Status.COMPLETED


async def test_cancelling_stops_the_steps_in_progress() -> None:
    blocked = Calls()
    system = System(tool("wait", blocked.wait))
    lease = await system.request(task("001", "wait"), task("002", needs=["001"]))
    executor = system.executor()
    watcher = asyncio.create_task(watch(system.log, executor, state_filter("run", "cancelled")))
    async with handling(executor, lease) as task_:
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "enough"), ORIGIN)
        await asyncio.wait_for(task_, WAIT_S)
    watcher.cancel()
    await asyncio.wait([watcher])
    assert blocked.cancelled == 1
    assert (await system.state()).status is Status.CANCELLED


@pytest.mark.parametrize("lost", [1, 2, 4])
async def test_a_lost_acknowledgement_does_not_stop_a_run(lost: int) -> None:
    """The commit is in the log and nobody said so: it is found there, and nothing is done twice."""
    calls = Calls()
    system = System(tool("count", calls.count, Effect.ONCE))
    lease = await system.request(task("001", "count"), task("002", "count", needs=["001"]))
    system.log.lose_acks(lost)
    await handle(system.executor(), lease)
    assert (await system.state()).status is Status.COMPLETED
    assert calls.keys == [f"{RUN_ID}/001", f"{RUN_ID}/002"]


async def test_an_ended_run_that_is_given_for_the_first_time_runs_nothing() -> None:
    """The durable consumer was lost and made again: it gives everything from the start of the log."""
    calls = Calls()
    system = System(tool("count", calls.count))
    lease = await system.request(task("001", "count"))
    await handle(system.executor(), lease)
    again = Delivery(attempt=1)
    again.is_new = False
    await deliver(system.executor(), lease, again)
    assert calls.keys == [f"{RUN_ID}/001"]


async def test_a_step_that_must_not_be_repeated_does_not_begin_after_the_lease_has_run_out() -> None:
    """It waited for a slot while its executor was stopped, and another one has taken the run over."""
    first, once, clock = Calls(), Calls(), Clock()
    system = System(tool("wait", first.wait), tool("send", once.count, Effect.ONCE))
    system.max_steps = 1
    lease = await system.request(task("001", "wait"), task("002", "send"))
    held = Lease(15, clock)
    stopped = asyncio.create_task(deliver(system.executor(), lease, Delivery(1, held)))
    await asyncio.wait_for(first.called.wait(), WAIT_S)
    clock.now += 20
    first.called.clear()
    async with handling(system.executor(), lease, attempt=2):
        await asyncio.wait_for(first.called.wait(), WAIT_S)
        held.renew(clock.now)
        first.gate.set()
        with pytest.raises(LeaseLost):
            await stopped
    assert once.keys == []
    assert "unknown" in (await system.state()).failed["002"]


async def test_a_step_begins_after_an_interruption_in_which_nobody_took_the_run() -> None:
    first, once, clock = Calls(), Calls(), Clock()
    system = System(tool("wait", first.wait), tool("send", once.count, Effect.ONCE))
    system.max_steps = 1
    lease = await system.request(task("001", "wait"), task("002", "send"))
    held = Lease(15, clock)
    working = asyncio.create_task(deliver(system.executor(), lease, Delivery(1, held)))
    await asyncio.wait_for(first.called.wait(), WAIT_S)
    clock.now += 20
    held.renew(clock.now)
    first.gate.set()
    await working
    assert once.keys == [f"{RUN_ID}/002"]
    assert (await system.state()).status is Status.COMPLETED


async def test_an_executor_without_the_tool_repeats_nothing_that_must_not_be_repeated() -> None:
    blocked = Calls()
    system = System(tool("send", blocked.wait, Effect.ONCE))
    lease = await system.request(task("001", "send"))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
    complete, system.registry = system.registry, Registry.of([])
    await handle(system.executor(), lease, attempt=2)
    system.registry = complete
    assert "unknown" in (await system.state()).failed["001"]
    assert len(blocked.keys) == 1


async def test_taking_over_a_plan_too_wide_for_one_commit_repeats_nothing_unasked() -> None:
    blocked = Calls()
    system = System(tool("send", blocked.wait, Effect.ONCE))
    system.max_steps = WIDE
    lease = await system.request(*(task(f"{n:04}", "send") for n in range(WIDE)))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
    done = len(blocked.keys)
    before = len(await system.log.read("run", RUN_ID))
    await handle(system.executor(), lease, attempt=2)
    state = await system.state()
    assert (state.status, len(state.failed)) == (Status.SUSPENDED, WIDE)
    assert len(await system.log.read("run", RUN_ID)) > before + 1
    assert len(blocked.keys) == done


# ── runs that are given up ──────────────────────────────────────────────────────────────────────────────


async def test_a_run_whose_message_is_given_up_is_suspended_and_resumes() -> None:
    blocked = Calls()
    system = System(tool("wait", blocked.wait))
    lease = await system.request(task("001"), task("002", "wait", needs=["001"]))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
    executor = system.executor()
    await executor.given_up(lease, OverflowError("a bug"))
    suspended = (await system.events())[-1]
    assert isinstance(suspended, run.Suspended)
    assert "OverflowError: a bug" in suspended.reason
    blocked.gate.set()
    await handle(executor, await system.resume())
    assert (await system.state()).status is Status.COMPLETED


async def test_a_wide_run_that_is_given_up_says_of_each_step_that_its_outcome_is_unknown() -> None:
    blocked = Calls()
    system = System(tool("send", blocked.wait, Effect.ONCE))
    lease = await system.request(*(task(f"{n:04}", "send") for n in range(WIDE)))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
    await system.executor().given_up(lease, OverflowError("a bug"))
    state = await system.state()
    assert (state.status, len(state.failed), state.running) == (Status.SUSPENDED, WIDE, {})


def counted() -> list[float]:
    """How many steps of `refuse` have failed, and how many runs were suspended."""
    samples = ("steps_failed", {"name": "refuse"}), ("runs_ended", {"outcome": "suspended"})
    return [REGISTRY.get_sample_value(f"executor_{name}_total", of) or 0 for name, of in samples]


async def test_a_step_that_failed_for_good_and_the_suspension_are_one_line_each() -> None:
    async def refuse(_: Json, __: CallContext) -> Json:
        raise Reject("no")

    system = System(tool("refuse", refuse))
    lease = await system.request(task("001", "refuse"))
    before = counted()
    with capture_logs() as lines:
        await handle(system.executor(), lease)
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1]
    failed, suspended = map(dict, lines)
    ids = {"run": RUN_ID, "correlation_id": lease.commit.correlation_id}
    assert failed | ids | {"event": "step failed", "step": "001", "tool": "refuse", "attempt": 1} == failed
    assert suspended | ids | {"event": "run suspended", "reason": "no"} == suspended


async def test_giving_up_an_old_message_of_a_run_that_was_resumed_changes_nothing() -> None:
    system = System()
    stale = await system.request(task("001", "absent"))
    await handle(system.executor(), stale)
    await system.resume()
    await system.executor().given_up(stale, OverflowError("a bug"))
    assert (await system.state()).status is Status.PENDING


async def test_a_run_cancelled_while_it_is_given_up_stays_cancelled() -> None:
    system = System()
    lease = await system.request(task("001"))
    system.log.open.clear()
    giving_up = asyncio.create_task(system.executor().given_up(lease, OverflowError("a bug")))
    system.log.asked.clear()
    await asyncio.wait_for(system.log.asked.wait(), WAIT_S)
    held, system.log.open = system.log.open, asyncio.Event()
    system.log.open.set()
    await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "no"), ORIGIN)
    held.set()
    await asyncio.wait_for(giving_up, WAIT_S)
    assert (await system.state()).status is Status.CANCELLED
