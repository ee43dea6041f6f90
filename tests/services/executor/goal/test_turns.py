"""What an agent does, turn by turn, while nothing goes wrong with the executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.domain import run
from contracts.domain.run import Status
from executor.goal.limits import MAX_CALLS, Limits
from executor.tools.artifacts import Artifacts
from executor.tools.tool import CallContext
from executor.tools.write_file import write_file
from tests.services.executor.goal.rules import ONE_CALL, calls_once
from tests.services.executor.system import echo
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld
    from tests.services.executor.system import Calls


async def test_a_goal_is_reached_by_turns_and_every_turn_is_in_the_log(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    state = await world.pursue()
    assert state.status is Status.COMPLETED
    first, second = await world.of(run.TurnTaken)
    assert (first.thought, first.finish_reason) == ("I look it up.", "tool_calls")
    assert [(call.name, call.arguments) for call in first.calls] == [("echo", {"value": {"n": 7}})]
    assert (second.thought, second.finish_reason, second.calls) == ("It is 7.", "stop", ())
    assert first.usage.total_tokens > 0
    assert (first.provider, first.model) == ("openai", "scripted")
    (answered,) = await world.of(run.CallAnswered)
    assert (answered.step, answered.result) == ("1.0", {"n": 7})
    (summarised,) = await world.of(run.Summarised)
    assert summarised.summary == "All done."
    (completed,) = await world.of(run.Completed)
    assert completed.completed_steps == 2


async def test_a_turn_and_its_calls_are_recorded_before_a_tool_runs(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", calls.wait)
    async with world.handling(world.executor(), await world.request()):
        await asyncio.wait_for(calls.called.wait(), WAIT_S)
        recorded = (await world.log.read("run", "run_1"))[-1].commit
        assert [type(event) for event in recorded.events] == [run.TurnTaken, run.StepsStarted]
        assert recorded.state == "running"


async def test_calls_of_one_turn_run_at_the_same_time(make_world: MakeWorld) -> None:
    together = asyncio.Barrier(3)

    async def meet(value: Json, _: CallContext) -> Json:
        async with asyncio.timeout(WAIT_S):
            await together.wait()
        return value

    world = await make_world(calls_once(*[{"name": "meet"}] * 3))
    world.tool("meet", meet)
    state = await world.pursue()
    assert state.status is Status.COMPLETED
    assert {event.position for event in await world.of(run.CallAnswered)} == {0, 1, 2}
    ids = [message["tool_call_id"] for message in world.asked[1]["messages"] if message["role"] == "tool"]
    assert len(set(ids)) == 3


async def test_a_turn_that_calls_a_tool_is_two_commits(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    await world.pursue()
    shapes = [
        tuple(type(event).__name__ for event in one.commit.events)
        for one in await world.log.read("run", "run_1")
    ]
    assert shapes == [
        ("GoalRequested",),
        ("GoalStarted", "StepsStarted"),
        ("TurnTaken", "StepsStarted"),
        ("CallAnswered", "StepsStarted"),
        ("TurnTaken", "StepsStarted"),
        ("Summarised", "Completed"),
    ]


async def test_the_step_budget_ends_a_run_that_would_never_end(make_world: MakeWorld, calls: Calls) -> None:
    world = await make_world(
        """
[[rule]]
when.has = ["tools"]
answer.text = "More."
answer.tool_calls = [{ name = "count" }]
"""
    )
    world.tool("count", calls.count)
    state = await world.pursue(budget=3)
    assert state.status is Status.COMPLETED
    assert calls.keys == ["run_1/1.0", "run_1/2.0", "run_1/3.0"]
    assert len(await world.of(run.TurnTaken)) == 3


# ── tools that are not there, not allowed, or fail ──────────────────────────────────────────────────────


async def test_a_tool_that_is_not_allowed_is_neither_offered_nor_run(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(calls_once({"name": "count"}, {"name": "echo"}))
    world.tool("count", calls.count)
    world.tool("echo", echo)
    await world.pursue(allowed_tools=("echo", "nonesuch"))
    assert [tool["function"]["name"] for tool in world.asked[0]["tools"]] == ["echo"]
    assert calls.keys == []
    refused, made = world.asked[1]["messages"][-2:]
    assert refused["content"] == "Error: count is not allowed in this run. You may call: echo"
    assert made["content"] == "null"
    (started,) = await world.of(run.GoalStarted)
    assert started.tools == ("echo",)
    assert started.remarks == ("the tool nonesuch is allowed but does not exist",)


@pytest.mark.parametrize(
    ("call", "told"),
    [
        ({"name": "absent"}, "Tool not found: absent. You may call: echo, remember"),
        ({"name": "remember", "arguments": {"fact": ""}}, "Invalid parameters for remember: fact:"),
        ({"name": "refuse"}, "no such thing"),
        ({"name": "explode"}, "KeyError"),
    ],
)
async def test_a_call_that_fails_is_told_to_the_model_which_goes_on(
    make_world: MakeWorld, call: dict[str, Json], told: str
) -> None:
    async def refuse(_: Json, __: CallContext) -> Json:
        raise Reject("no such thing")

    async def explode(_: Json, __: CallContext) -> Json:
        raise KeyError("oops")

    world = await make_world(calls_once(call))
    world.tool("echo", echo)
    if call["name"] in {"refuse", "explode"}:
        world.tool(call["name"], refuse if call["name"] == "refuse" else explode)
    state = await world.pursue()
    assert state.status is Status.COMPLETED
    assert world.asked[1]["messages"][-1]["content"].startswith("Error: ")
    assert told in world.asked[1]["messages"][-1]["content"]


async def test_arguments_that_are_not_json_are_told_to_the_model(make_world: MakeWorld) -> None:
    world = await make_world(
        """
[[rule]]
when.last_role = "user"
when.has = ["tools"]
answer.tool_calls = [{ name = "echo", arguments = "{broken" }]

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""
    )
    world.tool("echo", echo)
    await world.pursue()
    assert "not valid JSON" in world.asked[1]["messages"][-1]["content"]
    assert world.asked[1]["messages"][-2]["tool_calls"][0]["function"]["arguments"] == "{}"


async def test_numbers_that_cannot_be_stored_are_told_to_the_model(make_world: MakeWorld) -> None:
    world = await make_world(
        """
[[rule]]
when.last_role = "user"
when.has = ["tools"]
answer.tool_calls = [{ name = "echo", arguments = '{"value": 123456789012345678901234567890}' }]

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""
    )
    world.tool("echo", echo)
    assert (await world.pursue()).status is Status.COMPLETED
    assert "64 bits" in world.asked[1]["messages"][-1]["content"]


async def test_more_calls_than_a_turn_may_make_are_put_off(make_world: MakeWorld, calls: Calls) -> None:
    world = await make_world(calls_once(*[{"name": "count"}] * (MAX_CALLS + 2)))
    world.tool("count", calls.count)
    await world.pursue()
    assert len(calls.keys) == MAX_CALLS
    assert "make this one in the next" in world.asked[1]["messages"][-1]["content"]


async def test_a_passing_error_is_retried_and_every_attempt_is_in_the_log(make_world: MakeWorld) -> None:
    failures = iter([Retry("busy"), Retry("busy again")])

    async def flaky(value: Json, _: CallContext) -> Json:
        for failure in failures:
            raise failure
        return value

    world = await make_world(calls_once({"name": "flaky", "arguments": {"value": "ok"}}))
    world.tool("flaky", flaky)
    await world.pursue()
    assert [e.error for e in await world.of(run.StepFailed)] == ["busy", "busy again"]
    assert world.asked[1]["messages"][-1]["content"] == "ok"


async def test_an_error_that_does_not_pass_is_told_to_the_model_in_the_end(make_world: MakeWorld) -> None:
    async def busy(_: Json, __: CallContext) -> Json:
        raise Retry("busy")

    world = await make_world(calls_once({"name": "busy"}))
    world.tool("busy", busy)
    assert (await world.pursue()).status is Status.COMPLETED
    assert len(await world.of(run.StepFailed)) == 3
    assert world.asked[1]["messages"][-1]["content"] == "Error: busy"


# ── what is too long ────────────────────────────────────────────────────────────────────────────────────


async def test_a_turn_with_large_arguments_is_whole_in_the_log(make_world: MakeWorld, tmp_path: Path) -> None:
    text = "y" * 600_000
    world = await make_world(
        calls_once({"name": "writeFile", "arguments": {"path": "a.txt", "content": text}})
    )
    world.add(write_file(Artifacts(tmp_path)))
    assert (await world.pursue()).status is Status.COMPLETED
    assert (tmp_path / "a.txt").read_text() == text
    first, _ = await world.of(run.TurnTaken)
    assert first.calls[0].arguments["content"] == text


# ── what it is run with ─────────────────────────────────────────────────────────────────────────────────


async def test_only_so_many_goal_runs_are_in_progress_at_once(
    make_world: MakeWorld, new_calls: Callable[[], Calls]
) -> None:
    world = await make_world(ONE_CALL)
    world.limits = Limits(concurrent=1)
    blocked = new_calls()
    world.tool("echo", blocked.wait)
    executor = world.executor()
    first, second = await world.request("run_1"), await world.request("run_2")
    async with world.handling(executor, first) as one, world.handling(executor, second) as two:
        await asyncio.wait_for(blocked.called.wait(), WAIT_S)
        assert (await world.state("run_2")).status is Status.PENDING
        blocked.gate.set()
        await asyncio.wait([one, two])
    assert (await world.state("run_2")).status is Status.COMPLETED
