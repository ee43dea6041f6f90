"""The executor over a memory log, with tools of the tests and a scripted model."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts import agent, run
from contracts.agent import Directory
from contracts.commit import Commit, Recorded
from contracts.event import BlobRef, Event, Json, Usage
from contracts.outcome import Lost, Reject, Retry
from contracts.plan import Job
from contracts.registry import CODEC
from contracts.run import RUN, Policy, Status
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.llm import Llm, LlmSettings
from contracts.runtime.log import Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, transact
from contracts.steps import SYNTHESIS
from contracts.subjects import state_filter
from contracts.tool import Effect
from deploy.local.scripted_llm import ScriptedLlm, parse_rules
from executor.executor import Executor, watch
from executor.performer import Performer
from executor.tools.inputs import ToolInput
from executor.tools.registry import Registry
from executor.tools.tool import Tool, ToolCall

ORIGIN = Origin("/test/1")
QUICK = Policy(backoff_s=0.0)
RUN_ID = "dag-exec_1"


class Params(ToolInput):
    """Whatever a test wants to hand over."""

    value: Any = None


Body = Callable[[Json, ToolCall], Awaitable[Json]]


def tool(name: str, body: Body, effect: Effect = Effect.READ) -> tuple[str, Tool[Params]]:
    async def run_(params: Params, call: ToolCall) -> Json:
        return await body(params.value, call)

    return "test", Tool(name=name, description="", accepts=Params, effect=effect, run=run_)


async def echo(value: Json, _: ToolCall) -> Json:
    return value


class Calls:
    """A tool that notes its calls and can be made to wait."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.called = asyncio.Event()
        self.gate = asyncio.Event()
        self.cancelled = 0

    async def count(self, value: Json, call: ToolCall) -> Json:
        self.keys.append(call.idempotency_key)
        return value

    async def wait(self, value: Json, call: ToolCall) -> Json:
        self.keys.append(call.idempotency_key)
        self.called.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return value


class Delivery:
    """As much of a delivery as the executor looks at."""

    def __init__(self, attempt: int) -> None:
        self.attempt = attempt


class Shelf(MemoryBlobs):
    """Blobs that are out of reach for a number of times."""

    def __init__(self) -> None:
        super().__init__()
        self.away = 0
        self.unreadable = 0

    async def _store(self, name: str, data: bytes) -> None:
        if self.away:
            self.away -= 1
            raise Unavailable("no store")
        await super()._store(name, data)

    async def _fetch(self, name: str) -> bytes | None:
        if self.unreadable:
            self.unreadable -= 1
            raise Unavailable("no store")
        return await super()._fetch(name)


class HeldLog(MemoryLog):
    """A log that appends nothing while it is held, and does not answer while it is away."""

    def __init__(self) -> None:
        self.shelf = Shelf()
        super().__init__(CODEC, self.shelf)
        self.away = asyncio.Event()
        self.unreadable = 0
        """How many reads get no answer."""
        self._refused = asyncio.Semaphore(0)
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        """Set when somebody wants to append."""

    async def append(self, commit: Commit, *, after: int) -> int:
        self.asked.set()
        await self.open.wait()
        self._answer()
        return await super().append(commit, after=after)

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        self._answer()
        if self.unreadable:
            self.unreadable -= 1
            raise Unavailable("unreadable")
        return await super().read(aggregate, aggregate_id, after=after)

    def _answer(self) -> None:
        if self.away.is_set():
            self._refused.release()
            raise Unavailable("away")

    async def refuses(self, times: int) -> None:
        """Return when so many more calls have got no answer."""
        async with asyncio.timeout(5):
            while not self._refused.locked():
                await self._refused.acquire()
            for _ in range(times):
                await self._refused.acquire()


class System:
    """A log, its queue, and executors that can die."""

    def __init__(self, *tools: tuple[str, Tool[Any]], llm: Llm | None = None, policy: Policy = QUICK) -> None:
        self.log = HeldLog()
        self.registry = Registry.of([tool("echo", echo), *tools])
        self.llm = llm or Llm(LlmSettings(_env_file=None))
        self.agents = Directory()
        self.policy = policy
        self.told: list[tuple[str, dict[str, Json]]] = []
        self.names = 0

    def executor(self) -> Executor:
        self.names += 1

        async def tell(run_id: str, message: dict[str, Json]) -> None:
            self.told.append((run_id, message))

        performer = Performer(
            self.registry, self.llm, self.agents, self.log.format.blobs, tell, max_steps=100, timeout_s=5
        )
        return Executor(self.log, performer, self.policy, f"e{self.names}")

    async def request(
        self, *tasks: dict[str, Json], plan: str = "", id_: str = RUN_ID, timezone: str | None = None
    ) -> Recorded:
        job = Job.model_validate(
            {
                "original_request": "do it",
                "intent": {"primary": "work", "sub_intents": []},
                "entities": [],
                "sub_tasks": tasks,
                "synthesis_plan": plan,
            }
        )
        wanted = run.Requested(dag_id="d", original_request="do it", job=job, timezone=timezone)
        await transact(self.log, RUN, id_, lambda state: run.request(state, wanted), ORIGIN)
        return await self.lease(id_)

    async def lease(self, id_: str = RUN_ID) -> Recorded:
        """The message that the queue holds for a run."""
        return [one for one in await self.log.read("run", id_) if one.commit.state == "pending"][-1]

    async def state(self, id_: str = RUN_ID) -> run.State:
        return RUN.fold(await self.events(id_))

    async def events(self, id_: str = RUN_ID) -> Sequence[Event]:
        return [event for one in await self.log.read("run", id_) for event in one.commit.events]

    async def resume(self) -> Recorded:
        await transact(self.log, RUN, RUN_ID, run.resume, ORIGIN)
        return await self.lease()


async def handle(executor: Executor, lease: Recorded, attempt: int = 1) -> None:
    async with asyncio.timeout(10):
        await executor.handle(lease, Delivery(attempt))  # type: ignore[arg-type]


@asynccontextmanager
async def handling(
    executor: Executor, lease: Recorded, attempt: int = 1
) -> AsyncGenerator[asyncio.Task[None]]:
    """An executor at work, killed on the way out if it still is."""
    task = asyncio.create_task(handle(executor, lease, attempt))
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


def task(id_: str, name: str = "echo", value: Json = None, needs: Sequence[str] = ()) -> dict[str, Json]:
    return {
        "id": id_,
        "description": f"task {id_}",
        "thought": "",
        "action_type": "tool",
        "tool_or_prompt": {"name": name, "params": {"value": value}},
        "expected_output": "",
        "dependencies": list(needs),
    }


def infer(id_: str, prompt: str, needs: Sequence[str] = (), name: str = "inference") -> dict[str, Json]:
    return {
        **task(id_, needs=needs),
        "action_type": "inference",
        "tool_or_prompt": {"name": name, "params": {"prompt": prompt}},
    }


# ── the ordinary course ─────────────────────────────────────────────────────────────────────────────────


async def test_results_flow_along_the_dependencies_with_their_types() -> None:
    system = System()
    lease = await system.request(
        task("001", value={"n": [1, 2]}),
        task("002", value="<Result of Task 001>", needs=["001"]),
        task("003", value=["got <Result of Task 1>", {"k": "<Results from Task 2>"}], needs=["002"]),
    )
    await handle(system.executor(), lease)
    state = await system.state()
    assert state.status is Status.COMPLETED
    assert state.done["002"] == {"n": [1, 2]}
    assert state.done["003"] == ['got {"n":[1,2]}', {"k": {"n": [1, 2]}}]


async def test_independent_steps_run_at_the_same_time() -> None:
    together = asyncio.Barrier(3)

    async def meet(value: Json, _: ToolCall) -> Json:
        async with asyncio.timeout(5):
            await together.wait()
        return value

    system = System(tool("meet", meet))
    await handle(system.executor(), await system.request(*(task(str(n), "meet") for n in range(3))))
    assert (await system.state()).status is Status.COMPLETED


async def test_outcomes_that_come_together_are_one_commit() -> None:
    system = System()
    await handle(system.executor(), await system.request(*(task(str(n)) for n in range(50))))
    commits = await system.log.read("run", RUN_ID)
    assert (await system.state()).status is Status.COMPLETED
    assert len(commits) < 25


async def test_a_large_result_is_kept_beside_the_log_and_given_whole_to_the_next_step() -> None:
    large = "x" * 3_000_000
    system = System()
    lease = await system.request(task("001", value=large[:10]), task("002", needs=["001"]))

    async def grow(_: Json, __: ToolCall) -> Json:
        return large

    async def measure(value: Json, _: ToolCall) -> Json:
        return len(value)

    system = System(tool("grow", grow), tool("measure", measure))
    lease = await system.request(
        task("001", "grow"), task("002", "measure", "<Result of Task 1>", needs=["001"])
    )
    await handle(system.executor(), lease)
    state = await system.state()
    ref = BlobRef.of(state.done["001"])
    assert ref is not None
    assert ref.size > 3_000_000
    assert state.done["002"] == 3_000_000


async def test_tools_tell_watchers_what_they_are_at() -> None:
    async def talk(value: Json, call: ToolCall) -> Json:
        await call.progress("progress", "talk", "half way")
        return value

    system = System(tool("talk", talk))
    await handle(system.executor(), await system.request(task("001", "talk")))
    message = {"kind": "progress", "tool": "talk", "message": "half way", "step": "001"}
    assert system.told == [(RUN_ID, message)]


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_passing_error_is_retried_and_every_attempt_is_in_the_log() -> None:
    failures = iter([Retry("busy"), Retry("busy again", after=0)])

    async def flaky(value: Json, _: ToolCall) -> Json:
        for failure in failures:
            raise failure
        return value

    system = System(tool("flaky", flaky))
    await handle(system.executor(), await system.request(task("001", "flaky", "ok")))
    events = await system.events()
    assert [e.error for e in events if isinstance(e, run.StepFailed)] == ["busy", "busy again"]
    assert [e.attempt for e in events if isinstance(e, run.StepCompleted)] == [3, 1]


@pytest.mark.parametrize(
    ("name", "error"),
    [("refuse", "no such thing"), ("explode", "KeyError"), ("absent", "Tool not found: absent")],
)
async def test_an_error_for_good_suspends_the_run_and_says_why(name: str, error: str) -> None:
    async def refuse(_: Json, __: ToolCall) -> Json:
        raise Reject("no such thing")

    async def explode(_: Json, __: ToolCall) -> Json:
        raise KeyError("oops")

    system = System(tool("refuse", refuse), tool("explode", explode))
    await handle(system.executor(), await system.request(task("001", name), task("002")))
    suspended = (await system.events())[-1]
    assert isinstance(suspended, run.Suspended)
    assert error in suspended.reason
    assert set((await system.state()).done) == {"002"}


async def test_a_resumed_run_calls_only_what_had_failed() -> None:
    calls = Calls()
    broken = [True]

    async def mendable(value: Json, _: ToolCall) -> Json:
        if broken:
            raise Reject("broken")
        return value

    system = System(tool("count", calls.count), tool("mendable", mendable))
    lease = await system.request(task("001", "count"), task("002", "mendable", needs=["001"]))
    await handle(system.executor(), lease)
    broken.clear()
    await handle(system.executor(), await system.resume())
    assert (await system.state()).status is Status.COMPLETED
    assert calls.keys == [f"{RUN_ID}/001"]


async def test_a_step_that_hangs_is_given_up() -> None:
    calls = Calls()
    system = System(tool("wait", calls.wait), policy=Policy(retries=0))
    executor = system.executor()
    executor.performer.timeout_s = 0.05
    await handle(executor, await system.request(task("001", "wait")))
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "did not finish" in state.failed["001"]
    assert calls.cancelled == 1


# ── leases ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_after_a_crash_another_executor_repeats_no_completed_step() -> None:
    calls, blocked = Calls(), Calls()
    system = System(tool("count", calls.count), tool("wait", blocked.wait))
    lease = await system.request(task("001", "count"), task("002", "wait", needs=["001"]))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), 5)
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
        await asyncio.wait_for(blocked.called.wait(), 5)
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
        await asyncio.wait_for(blocked.called.wait(), 5)
        blocked.called.clear()
        async with handling(system.executor(), lease, attempt=2) as heir:
            await asyncio.wait_for(blocked.called.wait(), 5)
            blocked.gate.set()
            await asyncio.wait([zombie, heir])
            assert isinstance(zombie.exception(), Lost)
            assert heir.exception() is None
    completed = [e.step for e in await system.events() if isinstance(e, run.StepCompleted)]
    assert sorted(completed) == sorted(["001", "002", SYNTHESIS])


async def test_two_executors_offered_one_run_start_it_once() -> None:
    calls = Calls()
    system = System(tool("count", calls.count))
    lease = await system.request(task("001", "count"))
    executors = (system.executor(), system.executor())
    ends = await asyncio.gather(*(handle(one, lease) for one in executors), return_exceptions=True)
    assert all(end is None or isinstance(end, Lost) for end in ends)
    assert (await system.state()).status is Status.COMPLETED
    assert sum(isinstance(e, run.Started) for e in await system.events()) == 1


async def test_a_stale_lease_does_not_take_the_run_from_who_has_it() -> None:
    """The message of the first start, redelivered after the run was resumed and taken by another."""
    blocked = Calls()

    async def refuse_once(value: Json, call: ToolCall) -> Json:
        if not blocked.keys:
            blocked.keys.append("first")
            raise Reject("not yet")
        return await blocked.wait(value, call)

    system = System(tool("refuse_once", refuse_once))
    stale = await system.request(task("001", "refuse_once"))
    await handle(system.executor(), stale)
    async with handling(system.executor(), await system.resume()) as holder:
        await asyncio.wait_for(blocked.called.wait(), 5)
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
        await asyncio.wait_for(blocked.called.wait(), 5)
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
    watcher = asyncio.create_task(watch(system.log, executor, (state_filter("run", "cancelled"),)))
    async with handling(executor, lease) as task_:
        await asyncio.wait_for(blocked.called.wait(), 5)
        await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "enough"), ORIGIN)
        await asyncio.wait_for(task_, 5)
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


# ── without a log ───────────────────────────────────────────────────────────────────────────────────────


async def test_a_step_that_must_not_be_repeated_outlives_an_outage_of_the_log() -> None:
    """Its sibling ends while the log is away; both results are kept until it is back."""
    once, sibling = Calls(), Calls()
    system = System(tool("send", once.wait, Effect.ONCE), tool("wait", sibling.wait))
    lease = await system.request(task("001", "send"), task("002", "wait"), task("003", needs=["001", "002"]))
    async with handling(system.executor(), lease) as working:
        await asyncio.wait_for(asyncio.gather(once.called.wait(), sibling.called.wait()), 5)
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


async def test_what_became_of_a_lost_commit_is_read_as_soon_as_the_log_answers() -> None:
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
        await asyncio.wait_for(blocked.called.wait(), 5)
        system.log.away.set()
        executor.drain()
        blocked.gate.set()
        await system.log.refuses(2)
        working.cancel()
        await asyncio.wait_for(asyncio.wait([working]), 5)
    system.log.away.clear()
    assert (await system.state()).status is Status.RUNNING
    await handle(system.executor(), lease, attempt=2)
    assert (await system.state()).status is Status.COMPLETED


async def test_a_large_result_that_cannot_be_stored_yet_is_kept() -> None:
    calls = Calls()

    async def grow(_: Json, call: ToolCall) -> Json:
        system.log.shelf.away = 3
        return await calls.count("x" * 100_000, call)

    system = System(tool("grow", grow, Effect.ONCE))
    await handle(system.executor(), await system.request(task("001", "grow")))
    assert (await system.state()).status is Status.COMPLETED
    assert len(calls.keys) == 1


async def test_a_step_whose_input_cannot_be_fetched_now_is_tried_again() -> None:
    async def grow(_: Json, __: ToolCall) -> Json:
        return "x" * 100_000

    system = System(tool("grow", grow))
    lease = await system.request(task("001", "grow"), task("002", value="<Result of Task 1>", needs=["001"]))
    system.log.shelf.unreadable = 1
    await handle(system.executor(), lease)
    assert (await system.state()).status is Status.COMPLETED
    assert [e.step for e in await system.events() if isinstance(e, run.StepFailed)] == ["002"]


# ── runs that are given up ──────────────────────────────────────────────────────────────────────────────


async def test_a_run_whose_message_is_given_up_is_suspended_and_resumes() -> None:
    blocked = Calls()
    system = System(tool("wait", blocked.wait))
    lease = await system.request(task("001"), task("002", "wait", needs=["001"]))
    async with handling(system.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), 5)
    executor = system.executor()
    await executor.given_up(lease, OverflowError("a bug"))
    suspended = (await system.events())[-1]
    assert isinstance(suspended, run.Suspended)
    assert "OverflowError: a bug" in suspended.reason
    blocked.gate.set()
    await handle(executor, await system.resume())
    assert (await system.state()).status is Status.COMPLETED


async def test_giving_up_an_old_message_of_a_run_that_was_resumed_changes_nothing() -> None:
    system = System()
    stale = await system.request(task("001", "absent"))
    await handle(system.executor(), stale)
    await system.resume()
    await system.executor().given_up(stale, OverflowError("a bug"))
    assert (await system.state()).status is Status.PENDING


async def test_a_run_called_off_while_it_is_given_up_stays_called_off() -> None:
    system = System()
    lease = await system.request(task("001"))
    system.log.open.clear()
    giving_up = asyncio.create_task(system.executor().given_up(lease, OverflowError("a bug")))
    system.log.asked.clear()
    await asyncio.wait_for(system.log.asked.wait(), 5)
    held, system.log.open = system.log.open, asyncio.Event()
    system.log.open.set()
    await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "no"), ORIGIN)
    held.set()
    await asyncio.wait_for(giving_up, 5)
    assert (await system.state()).status is Status.CANCELLED


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
        await asyncio.wait_for(last.called.wait(), 5)
        assert reads.keys == [f"{RUN_ID}/001", f"{RUN_ID}/002"]
        assert writes.keys == []
        assert (await system.state()).status is Status.PENDING
        system.log.open.set()
        last.gate.set()
        await working
    assert (await system.state()).status is Status.COMPLETED
    assert writes.keys == [f"{RUN_ID}/003"]


async def test_what_ran_ahead_of_the_log_counts_for_nothing_when_the_run_was_called_off() -> None:
    reads, last = Calls(), Calls()
    system = System(tool("read", reads.count), tool("last", last.wait))
    lease = await system.request(task("001", "read"), task("002", "last", needs=["001"]))
    system.log.open.clear()
    async with handling(system.executor(), lease) as working:
        await asyncio.wait_for(last.called.wait(), 5)
        held, system.log.open = system.log.open, asyncio.Event()
        system.log.open.set()
        await transact(system.log, RUN, RUN_ID, lambda state: run.cancel(state, "no"), ORIGIN)
        held.set()
        await working
    assert last.cancelled == 1
    assert [type(event) for event in await system.events()] == [run.Requested, run.Cancelled]


async def test_an_outcome_that_no_commit_can_hold_fails_its_step_and_undoes_what_followed() -> None:
    after = Calls()

    async def shout(_: Json, __: ToolCall) -> Json:
        raise Reject("x" * 600_000)

    system = System(tool("shout", shout), tool("after", after.count))
    lease = await system.request(task("001", "shout"), task("002", "after"), task("003", needs=["002"]))
    await handle(system.executor(), lease)
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "too large" in state.failed["001"]
    assert set(state.done) == {"002", "003"}
    assert after.keys == [f"{RUN_ID}/002"]


# ── models ──────────────────────────────────────────────────────────────────────────────────────────────

RULES = """
[[rule]]
when.system = "merge"
answer.text = "# Report"

[[rule]]
when.user = "# Current Task"
answer.text = "inferred"
"""


@pytest.fixture
async def scripted() -> AsyncGenerator[ScriptedLlm]:
    async with ScriptedLlm(parse_rules(RULES)) as server:
        yield server


@pytest.fixture
async def llm(scripted: ScriptedLlm) -> AsyncGenerator[Llm]:
    settings = LlmSettings(
        _env_file=None, llm_provider="openai", openai_base_url=scripted.base_url, llm_model="scripted"
    )
    client = Llm(settings)
    yield client
    await client.aclose()


async def seeded(system: System, template: str = "Be brief.", **model: str) -> None:
    created = agent.Created(name="inference", version_name="1", prompt_template=template, **model)
    await transact(system.log, agent.AGENT, "agent_1", lambda state: agent.seed(state, created), ORIGIN)
    system.agents.fold(await system.log.read("agent", "agent_1"))


async def test_a_model_infers_with_what_came_before_and_writes_the_report(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system)
    lease = await system.request(
        task("001", value="facts"), infer("002", "Use <Result of Task 001>", ["001"]), plan="put it together"
    )
    await handle(system.executor(), lease)
    state = await system.state()
    assert (state.done["002"], state.done[SYNTHESIS]) == ("inferred", "# Report")
    inference, synthesis = (request.body["messages"] for request in scripted.requests)
    assert inference[0]["content"] == "Task: Be brief."
    assert "Use facts" in inference[1]["content"]
    assert inference[1]["content"].count("facts") == 1
    assert "Task 002 result:\ninferred" in synthesis[1]["content"]
    usage = [e.usage for e in await system.events() if isinstance(e, run.StepCompleted) and e.usage]
    assert len(usage) == 2


async def test_an_inference_fills_its_agents_prompt_and_records_which_it_was(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    """Agents can be edited in place, so the id alone does not say what was used."""
    system = System(llm=llm)
    template = "On {{ CurrentDate }} with {{toolsList}} and skills: {{skills}}."
    await seeded(system, template)
    await handle(system.executor(), await system.request(infer("001", "think")))
    prompt = scripted.requests[0].body["messages"][0]["content"]
    assert re.fullmatch(r"Task: On \d+/\d+/\d+, .+ with - echo: .*and skills: none\.", prompt, re.DOTALL)
    completed = next(e for e in await system.events() if isinstance(e, run.StepCompleted))
    assert (completed.agent_id, completed.agent_version) == ("agent_1", "1")
    assert completed.prompt_sha256 == hashlib.sha256(template.encode()).hexdigest()


async def test_an_inference_is_told_the_date_in_the_time_zone_of_the_run(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system, "{{currentDate}}")
    await handle(system.executor(), await system.request(infer("001", "think"), timezone="Asia/Kolkata"))
    told = scripted.requests[0].body["messages"][0]["content"].removeprefix("Task: ")
    ahead = datetime.strptime(told, "%m/%d/%Y, %I:%M:%S %p").replace(tzinfo=UTC) - datetime.now(UTC)
    assert timedelta(hours=5, minutes=29) < ahead <= timedelta(hours=5, minutes=30)


async def test_an_agent_whose_own_model_cannot_be_called_is_asked_with_that_of_the_settings(
    llm: Llm, scripted: ScriptedLlm
) -> None:
    system = System(llm=llm)
    await seeded(system, provider="openrouter", model="gone")
    await handle(system.executor(), await system.request(infer("001", "think")))
    assert scripted.requests[0].body["model"] == "scripted"
    assert (await system.state()).done["001"] == "inferred"


async def test_what_an_answer_of_no_use_has_cost_is_recorded_with_the_failure() -> None:
    rules = """
[[rule]]
answer.text = ""
answer.finish_reason = "length"
answer.cost = 0.01
answer.usage = { prompt_tokens = 5, completion_tokens = 2 }
"""
    async with ScriptedLlm(parse_rules(rules)) as server:
        settings = LlmSettings(
            _env_file=None, llm_provider="openai", openai_base_url=server.base_url, llm_model="scripted"
        )
        async with aclosing(Llm(settings)) as llm:
            system = System(llm=llm)
            await seeded(system)
            await handle(system.executor(), await system.request(infer("001", "think")))
    (failed,) = [event for event in await system.events() if isinstance(event, run.StepFailed)]
    assert failed.usage == Usage(prompt_tokens=5, completion_tokens=2)
    assert (failed.cost_usd, failed.provider, failed.model) == ("0.01", "openai", "scripted")


async def test_without_a_model_an_inference_suspends_and_says_what_to_set() -> None:
    system = System()
    await seeded(system)
    await handle(system.executor(), await system.request(infer("001", "think")))
    assert "LLM_PROVIDER" in (await system.state()).failed["001"]


async def test_without_the_agent_an_inference_suspends_and_names_it(llm: Llm) -> None:
    system = System(llm=llm)
    await handle(system.executor(), await system.request(infer("001", "think", name="Nobody")))
    assert "No agent found with name: Nobody" in (await system.state()).failed["001"]
