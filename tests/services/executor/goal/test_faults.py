"""What becomes of goal runs when executors, models or tools fail, and when clients call them off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.outcome import LeaseLost, Retry
from contracts.core.subjects import state_filter
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import NO_SUMMARY, RUN, RunPolicy, Status
from contracts.llm import Llm, LlmSettings
from contracts.runtime.stream import Origin, transact
from executor.driver import Driver
from executor.executor import watch
from executor.goal.limits import Limits
from tests.services.executor.goal.rules import calls_once
from tests.services.executor.system import echo
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.executor.conftest import MakeWorld
    from tests.services.executor.system import Calls


TWO_CALLS = """
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "I call."
answer.tool_calls = [
    { name = "first", arguments = { value = 1 } },
    { name = "second", arguments = { value = 2 } },
]

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""
ONE_CALL = calls_once({"name": "first", "arguments": {"value": 1}})


# ── executors that die ──────────────────────────────────────────────────────────────────────────────────


async def test_after_a_crash_calls_without_an_answer_run_again_with_their_keys_and_no_model_is_asked_again(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", calls.wait, Effect.IDEMPOTENT)
    lease = await world.request()
    async with world.handling(world.executor(), lease):
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
    calls.gate.set()
    await world.handle(world.executor(), lease, attempt=2)
    assert (await world.state()).status is Status.COMPLETED
    assert calls.keys == ["run_1/1.0"] * 2
    assert len([body for body in world.asked if body["messages"][-1]["role"] == "user"]) == 2
    assert len(await world.of(run.TurnTaken)) == 2
    assert len(await world.of(run.TakenOver)) == 1


async def test_a_call_that_must_not_be_repeated_is_not_and_the_model_is_told_so(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", calls.wait, Effect.ONCE)
    lease = await world.request()
    async with world.handling(world.executor(), lease):
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
    await world.handle(world.executor(), lease, attempt=2)
    assert (await world.state()).status is Status.COMPLETED
    assert calls.keys == ["run_1/1.0"]
    seen = world.asked[1]["messages"][-1]["content"]
    assert "whether it took effect is unknown" in seen
    assert "Find out before you call it again" in seen


async def test_a_call_that_was_answered_is_not_made_again(
    make_world: MakeWorld, new_calls: Callable[[], Calls], eventually: Eventually
) -> None:
    done, blocked = new_calls(), new_calls()
    world = await make_world(TWO_CALLS)
    world.tool("first", done.count, Effect.ONCE)
    world.tool("second", blocked.wait)
    lease = await world.request()
    async with world.handling(world.executor(), lease):
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        await eventually(lambda: world.of(run.CallAnswered))
    blocked.gate.set()
    await world.handle(world.executor(), lease, attempt=2)
    assert (await world.state()).status is Status.COMPLETED
    assert (done.keys, blocked.keys) == (["run_1/1.0"], ["run_1/1.1"] * 2)


async def test_a_question_to_the_model_that_a_crash_cut_short_is_asked_again(
    make_world: MakeWorld, eventually: Eventually
) -> None:
    world = await make_world(
        '[[rule]]\ntimes = 1\nanswer.hang = true\n[[rule]]\nwhen.has = ["tools"]\nanswer.text = "Done."'
    )
    world.tool("first", echo)
    lease = await world.request()
    async with world.handling(world.executor(), lease):
        await eventually(lambda: world.asked)
    await world.handle(world.executor(), lease, attempt=2)
    assert (await world.state()).status is Status.COMPLETED
    assert len(await world.of(run.TurnTaken)) == 1


async def test_an_executor_that_lost_its_lease_stops_and_its_result_does_not_count(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", calls.wait)
    lease = await world.request()
    async with world.handling(world.executor(), lease) as zombie:
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
        calls.called.clear()
        async with world.handling(world.executor(), lease, attempt=2) as heir:
            await asyncio.wait_for(calls.called.wait(), WAIT_S)
            calls.gate.set()
            await asyncio.wait([zombie, heir])
            assert isinstance(zombie.exception(), LeaseLost)
            assert heir.exception() is None
    assert len(await world.of(run.CallAnswered)) == 1
    assert len(await world.of(run.Completed)) == 1


async def test_a_run_that_kills_its_executors_fails(make_world: MakeWorld, calls: Calls) -> None:
    world = await make_world(ONE_CALL)
    world.policy = RunPolicy(max_takeovers=2)
    world.tool("first", calls.wait)
    lease = await world.request()
    for attempt in (1, 2):
        async with world.handling(world.executor(), lease, attempt):
            await asyncio.wait_for(calls.called.wait(), WAIT_S)
        calls.called.clear()
    await world.handle(world.executor(), lease, attempt=3)
    state = await world.state()
    assert state.status is Status.FAILED
    assert state.loop
    assert "steps in progress: 1.0" in (state.loop.error or "")


async def test_draining_finishes_the_calls_in_progress_and_leaves_the_rest_to_another(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", calls.wait)
    lease = await world.request()
    executor = world.executor()
    async with world.handling(executor, lease) as leaving:
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
        executor.drain()
        calls.gate.set()
        await asyncio.wait([leaving])
        assert isinstance(leaving.exception(), Retry)
    assert len(await world.of(run.CallAnswered)) == 1
    assert len(world.asked) == 1
    await world.handle(world.executor(), lease, attempt=2)
    assert (await world.state()).status is Status.COMPLETED
    assert calls.keys == ["run_1/1.0"]


async def test_draining_returns_the_runs_that_wait_for_a_slot(make_world: MakeWorld, calls: Calls) -> None:
    world = await make_world(ONE_CALL)
    world.limits = Limits(concurrent=1)
    world.tool("first", calls.wait)
    executor = world.executor()
    first, second = await world.request("run_1"), await world.request("run_2")
    async with world.handling(executor, first), world.handling(executor, second) as waiting:
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
        executor.drain()
        await asyncio.wait([waiting])
        assert isinstance(waiting.exception(), Retry)
    with pytest.raises(Retry):
        await world.handle(executor, second)


async def test_a_lost_acknowledgement_does_not_stop_a_run(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", echo)
    lease = await world.request()
    world.log.lose_acks(1)
    await world.handle(world.executor(), lease)
    assert (await world.state()).status is Status.COMPLETED


# ── models that fail ────────────────────────────────────────────────────────────────────────────────────


async def test_a_model_that_keeps_failing_fails_the_run_and_nothing_else(make_world: MakeWorld) -> None:
    world = await make_world(
        '[[rule]]\nwhen.user = "start"\nwhen.any = "find it"\nanswer.status = 500\nanswer.error = "on fire"'
    )
    world.tool("first", echo)
    state = await world.pursue()
    assert state.status is Status.FAILED
    assert state.loop
    assert "on fire" in (state.loop.error or "")
    assert [(e.attempt, bool(e.retry_at)) for e in await world.of(run.StepFailed)] == [
        (1, True),
        (2, True),
        (3, False),
    ]
    (last,) = (await world.log.read("run", "run_1"))[-1:]
    assert last.commit.state == "failed"


async def test_a_prompt_that_cannot_be_stored_holds_no_run_up(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", echo)

    async def fails(_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.log.format.blobs, "put_json", fails)
    assert (await world.pursue()).status is Status.COMPLETED
    assert [one.prompt for one in await world.of(run.TurnTaken)] == [None, None]


async def test_an_attempt_that_ends_without_an_outcome_ends_the_handling_of_its_run(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So its message is delivered again or parked, and an operator learns of it."""
    world = await make_world(ONE_CALL)
    world.tool("first", echo)

    def fails(*_: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Driver, "_ended", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        await world.handle(world.executor(), await world.request())


async def test_a_model_that_recovers_is_asked_again(make_world: MakeWorld) -> None:
    world = await make_world("[[rule]]\ntimes = 2\nanswer.status = 429\n" + ONE_CALL)
    world.tool("first", echo)
    assert (await world.pursue()).status is Status.COMPLETED
    first, *_ = await world.of(run.TurnTaken)
    assert first.attempt == 3


async def test_a_run_whose_summary_cannot_be_written_says_so(make_world: MakeWorld) -> None:
    world = await make_world('[[rule]]\nwhen.user = "Sum it up"\nanswer.status = 400\n' + ONE_CALL)
    world.tool("first", echo)
    state = await world.pursue()
    assert state.status is Status.COMPLETED
    assert state.loop
    assert state.loop.summary == NO_SUMMARY
    (summarised,) = await world.of(run.Summarised)
    assert (summarised.provider, summarised.usage) == (None, None)


async def test_without_a_model_a_run_fails_and_says_what_to_set(make_world: MakeWorld) -> None:
    world = await make_world()
    world.llm = Llm(LlmSettings(_env_file=None))
    state = await world.pursue()
    assert state.status is Status.FAILED
    assert state.loop
    assert "LLM_PROVIDER" in (state.loop.error or "")


async def test_without_any_agent_a_run_fails_and_says_what_to_do(make_world: MakeWorld) -> None:
    world = await make_world()
    world.agents = type(world.agents)()
    state = await world.pursue()
    assert state.status is Status.FAILED
    assert state.loop
    assert state.loop.error == "There is no agent: create and activate one named defaultAgent"


# ── clients who call it off ─────────────────────────────────────────────────────────────────────────────


async def cancelled(world: Any, executor: Any, begun: Callable[[], Any]) -> None:
    """Cancel the run once it has begun, and see it stop."""
    watcher = asyncio.create_task(watch(world.log, executor, state_filter("run", "cancelled")))
    async with world.handling(executor, await world.request()) as task:
        await begun()
        await transact(world.log, RUN, "run_1", lambda state: run.cancel(state, "enough"), Origin("/test/1"))
        async with asyncio.timeout(WAIT_S):
            await asyncio.wait([task])
        assert task.done()
        assert task.exception() is None
    watcher.cancel()
    await asyncio.wait([watcher])
    assert (await world.state()).status is Status.CANCELLED


async def test_cancelling_stops_the_calls_in_progress(make_world: MakeWorld, calls: Calls) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", calls.wait)
    await cancelled(world, world.executor(), calls.called.wait)
    assert calls.cancelled == 1


async def test_cancelling_does_not_wait_for_a_model_that_is_silent(
    make_world: MakeWorld, eventually: Eventually
) -> None:
    world = await make_world("[[rule]]\nanswer.hang = true")
    world.tool("first", echo)
    await cancelled(world, world.executor(), lambda: eventually(lambda: world.asked))
    assert await world.of(run.TurnTaken) == []


async def test_a_run_cancelled_while_it_waits_for_a_slot_never_starts(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.limits = Limits(concurrent=1)
    world.tool("first", calls.wait)
    executor = world.executor()
    first, second = await world.request("run_1"), await world.request("run_2")
    async with world.handling(executor, first) as one, world.handling(executor, second) as two:
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
        await transact(world.log, RUN, "run_2", lambda state: run.cancel(state, "enough"), Origin("/test/1"))
        calls.gate.set()
        await asyncio.wait([one, two])
        assert two.exception() is None
    assert (await world.state("run_2")).status is Status.CANCELLED
    assert await world.of(run.GoalStarted, "run_2") == []
