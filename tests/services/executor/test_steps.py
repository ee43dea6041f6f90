"""Steps of a run: results flow along the dependencies, failures are tried again or suspend it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from contracts.core.event import BlobRef, Json
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import OutputSpec
from contracts.domain import run
from contracts.domain.run import RunPolicy, Status
from contracts.domain.run.steps import SYNTHESIS
from executor import driver
from executor.tools.tool import CallContext
from tests.services.executor.system import RUN_ID, Calls, System, handle, task, tool
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.executor.conftest import SetBack

# ── the ordinary course ─────────────────────────────────────────────────────────────────────────────────


async def test_all_commits_of_a_run_name_who_asked_for_it() -> None:
    system = System()
    await handle(system.executor(), await system.request(task("001"), task("002", needs=["001"])))
    commits = [one.commit for one in await system.log.read("run", RUN_ID)]
    assert {one.source for one in commits} > {"/test/1"}
    assert {one.actor for one in commits} == {"key:ci"}


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

    async def meet(value: Json, _: CallContext) -> Json:
        async with asyncio.timeout(WAIT_S):
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


async def test_the_output_of_a_tool_is_recorded_however_large_its_result_is() -> None:
    async def save(_: Json, __: CallContext) -> Json:
        return {"name": "a.txt", "text": "x" * 100_000}

    leaves = OutputSpec(kind="file", fields=("name",))
    system = System(tool("save", save, output=leaves))
    await handle(system.executor(), await system.request(task("001", "save")))
    assert (await system.state()).outputs == (run.Output(kind="file", content="a.txt"),)


async def test_a_large_result_is_kept_beside_the_log_and_given_whole_to_the_next_step() -> None:
    large = "x" * 3_000_000
    system = System()
    lease = await system.request(task("001", value=large[:10]), task("002", needs=["001"]))

    async def grow(_: Json, __: CallContext) -> Json:
        return large

    async def measure(value: Json, _: CallContext) -> Json:
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


async def test_progress_of_tools_is_sent_to_watchers() -> None:
    async def talk(value: Json, call: CallContext) -> Json:
        await call.progress("progress", "talk", "half way")
        return value

    system = System(tool("talk", talk))
    await handle(system.executor(), await system.request(task("001", "talk")))
    message = {"kind": "progress", "tool": "talk", "message": "half way", "step": "001"}
    assert system.told == [(RUN_ID, message)]


# ── failures ────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_passing_error_is_retried_and_every_attempt_is_in_the_log() -> None:
    failures = iter([Retry("busy"), Retry("busy again", after=0)])

    async def flaky(value: Json, _: CallContext) -> Json:
        for failure in failures:
            raise failure
        return value

    system = System(tool("flaky", flaky))
    await handle(system.executor(), await system.request(task("001", "flaky", "ok")))
    events = await system.events()
    assert [e.error for e in events if isinstance(e, run.StepFailed)] == ["busy", "busy again"]
    assert [e.attempt for e in events if isinstance(e, run.StepCompleted)] == [3, 1]


async def test_a_clock_that_is_set_back_does_not_hold_up_a_retry(set_back: SetBack) -> None:
    set_back(driver)
    failures = iter([Retry("busy")])

    async def flaky(value: Json, _: CallContext) -> Json:
        for failure in failures:
            raise failure
        return value

    system = System(tool("flaky", flaky), policy=RunPolicy(backoff_s=0.05))
    await handle(system.executor(), await system.request(task("001", "flaky", "ok")))
    assert isinstance((await system.events())[-1], run.Completed)


@pytest.mark.parametrize(
    ("name", "error"),
    [("refuse", "no such thing"), ("explode", "KeyError"), ("absent", "Tool not found: absent")],
)
async def test_an_error_for_good_suspends_the_run_and_says_why(name: str, error: str) -> None:
    async def refuse(_: Json, __: CallContext) -> Json:
        raise Reject("no such thing")

    async def explode(_: Json, __: CallContext) -> Json:
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

    async def mendable(value: Json, _: CallContext) -> Json:
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


async def test_results_too_many_for_one_event_are_put_together_all_the_same() -> None:
    """None of them is large, all of them are; the report goes where large results go."""
    system = System()
    tasks = [task(f"{n:03}", value=f"{n}" * 25_000) for n in range(1, 31)]
    await handle(system.executor(), await system.request(*tasks))
    state = await system.state()
    assert state.status is Status.COMPLETED
    reference = BlobRef.of(state.done[SYNTHESIS])
    assert reference is not None
    report = await system.log.format.blobs.get_json(reference)
    assert report.count("## ") == 30
    assert "30" * 25_000 in report


async def test_a_step_that_raises_cancelled_error_itself_has_failed() -> None:
    """Otherwise its run would wait for it for ever, and keep its lease."""

    async def odd(_: Json, __: CallContext) -> Json:
        raise asyncio.CancelledError

    system = System(tool("odd", odd))
    await handle(system.executor(), await system.request(task("001", "odd")))
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "cancelled by the tool or a library" in state.failed["001"]


async def test_a_step_that_hangs_is_given_up() -> None:
    calls = Calls()
    system = System(tool("wait", calls.wait), policy=RunPolicy(retries=0))
    system.timeout_s = 0.05
    await handle(system.executor(), await system.request(task("001", "wait")))
    state = await system.state()
    assert state.status is Status.SUSPENDED
    assert "did not finish" in state.failed["001"]
    assert calls.cancelled == 1
