"""What an agent is told and what it does, turn by turn, while nothing goes wrong with the executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts import run
from contracts.event import BlobRef, Json
from contracts.outcome import Reject, Retry
from contracts.run import Status
from executor.goal.limits import MAX_CALLS, Limits
from executor.tools.artifacts import Artifacts
from executor.tools.tool import ToolCall
from executor.tools.write_file import write_file

MakeWorld = Any
Calls = Any

ONE_CALL = """
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "I look it up."
answer.tool_calls = [{ name = "echo", arguments = { value = { n = 7 } } }]

[[rule]]
when.last_role = "tool"
answer.text = "It is 7."
"""


def calls_once(*calls: dict[str, Json], text: str = "I call.") -> str:
    """Rules: the first answer makes these calls, the second ends."""
    table = "\n".join(
        f"[[rule.answer.tool_calls]]\nname = {orjson.dumps(call['name']).decode()}\n"
        f"arguments = '''{orjson.dumps(call.get('arguments', {})).decode()}'''"
        for call in calls
    )
    return f"""
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "{text}"
{table}

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""


async def echo(value: Json, _: ToolCall) -> Json:
    return value


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
    (completed,) = await world.of(run.GoalCompleted)
    assert completed.steps_executed == 2


async def test_a_turn_and_its_calls_are_recorded_before_a_tool_runs(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", calls.wait)
    async with world.handling(world.executor(), await world.request()):
        await asyncio.wait_for(calls.called.wait(), 5)
        recorded = (await world.log.read("run", "run_1"))[-1].commit
        assert [type(event) for event in recorded.events] == [run.TurnTaken, run.StepsStarted]
        assert recorded.state == "running"


async def test_the_conversation_is_the_agents_prompt_and_then_what_was_said_and_seen(
    make_world: MakeWorld,
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    await world.pursue(budget=4)
    first, second, summary = world.asked
    system, start = first["messages"]
    assert system["role"] == "system"
    assert "You are to: find it" in system["content"]
    assert "- echo: does echo" in system["content"]
    assert "Known: None\nLeft: 3" in system["content"]
    assert "This is the start" in start["content"]
    said, seen = second["messages"][2:]
    (call,) = said["tool_calls"]
    assert said["content"] == "I look it up."
    assert call["function"] == {"name": "echo", "arguments": '{"value":{"n":7}}'}
    assert seen == {"role": "tool", "tool_call_id": call["id"], "content": '{\n  "n": 7\n}'}
    assert "step_1_echo_0: {" in second["messages"][0]["content"]
    assert "Left: 2" in second["messages"][0]["content"]
    assert [tool["function"]["name"] for tool in first["tools"]] == ["echo", "remember"]
    assert "tools" not in summary
    assert len(summary["messages"]) == 1
    assert "Step 1: I look it up.\n[echo] {" in summary["messages"][0]["content"]
    assert summary["temperature"] == pytest.approx(0.49)


async def test_calls_of_one_turn_run_at_the_same_time(make_world: MakeWorld) -> None:
    together = asyncio.Barrier(3)

    async def meet(value: Json, _: ToolCall) -> Json:
        async with asyncio.timeout(5):
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
        ("Summarised", "GoalCompleted"),
    ]


async def test_the_budget_ends_a_run_that_would_go_on_for_ever(make_world: MakeWorld, calls: Calls) -> None:
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


async def test_an_answer_that_was_cut_short_is_gone_on_from(make_world: MakeWorld) -> None:
    world = await make_world(
        """
[[rule]]
times = 1
answer.text = "It is bec"
answer.finish_reason = "length"

[[rule]]
when.has = ["tools"]
answer.text = "because."
"""
    )
    await world.pursue()
    assert [turn.finish_reason for turn in await world.of(run.TurnTaken)] == ["length", "stop"]
    assert world.asked[1]["messages"][-1]["content"].startswith("That answer was cut short (length)")


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
    assert started.remarks == ("the tool nonesuch is allowed, and there is none of that name",)


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
    async def refuse(_: Json, __: ToolCall) -> Json:
        raise Reject("no such thing")

    async def explode(_: Json, __: ToolCall) -> Json:
        raise KeyError("oops")

    world = await make_world(calls_once(call))
    world.tool("echo", echo)
    if call["name"] in {"refuse", "explode"}:
        world.tool(call["name"], refuse if call["name"] == "refuse" else explode)
    state = await world.pursue()
    assert state.status is Status.COMPLETED
    assert world.asked[1]["messages"][-1]["content"].startswith("Error: ")
    assert told in world.asked[1]["messages"][-1]["content"]


async def test_arguments_that_are_no_json_are_told_to_the_model(make_world: MakeWorld) -> None:
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
    assert "beyond 64 bits" in world.asked[1]["messages"][-1]["content"]


async def test_more_calls_than_a_turn_may_make_are_put_off(make_world: MakeWorld, calls: Calls) -> None:
    world = await make_world(calls_once(*[{"name": "count"}] * (MAX_CALLS + 2)))
    world.tool("count", calls.count)
    await world.pursue()
    assert len(calls.keys) == MAX_CALLS
    assert "make this one in the next" in world.asked[1]["messages"][-1]["content"]


async def test_a_passing_error_is_retried_and_every_attempt_is_in_the_log(make_world: MakeWorld) -> None:
    failures = iter([Retry("busy"), Retry("busy again")])

    async def flaky(value: Json, _: ToolCall) -> Json:
        for failure in failures:
            raise failure
        return value

    world = await make_world(calls_once({"name": "flaky", "arguments": {"value": "ok"}}))
    world.tool("flaky", flaky)
    await world.pursue()
    assert [e.error for e in await world.of(run.StepFailed)] == ["busy", "busy again"]
    assert world.asked[1]["messages"][-1]["content"] == "ok"


async def test_an_error_that_does_not_pass_is_told_to_the_model_in_the_end(make_world: MakeWorld) -> None:
    async def busy(_: Json, __: ToolCall) -> Json:
        raise Retry("busy")

    world = await make_world(calls_once({"name": "busy"}))
    world.tool("busy", busy)
    assert (await world.pursue()).status is Status.COMPLETED
    assert len(await world.of(run.StepFailed)) == 3
    assert world.asked[1]["messages"][-1]["content"] == "Error: busy"


# ── what is too long ────────────────────────────────────────────────────────────────────────────────────


async def test_a_large_result_is_kept_beside_the_log_and_its_beginning_shown(make_world: MakeWorld) -> None:
    async def grow(_: Json, __: ToolCall) -> Json:
        return "x" * 300_000

    world = await make_world(calls_once({"name": "grow"}))
    world.tool("grow", grow)
    await world.pursue()
    (answered,) = await world.of(run.CallAnswered)
    assert BlobRef.of(answered.result) is not None
    seen = world.asked[1]["messages"][-1]["content"]
    assert seen.startswith("x" * 50_000)
    assert seen.endswith("… (250000 more characters left out)")


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


async def test_older_turns_are_shortened_and_the_oldest_left_out_and_the_model_is_told(
    make_world: MakeWorld,
) -> None:
    async def long(_: Json, __: ToolCall) -> Json:
        return "z" * 3000

    world = await make_world(
        """
[[rule]]
when.has = ["tools"]
answer.text = "More."
answer.tool_calls = [{ name = "long" }]
"""
    )
    world.limits = Limits(context_chars=12_000)
    world.tool("long", long)
    await world.pursue(budget=20)
    last = world.asked[19]["messages"]
    assert sum(len(orjson.dumps(message)) for message in last[1:]) < 12_500
    assert last[-1]["content"] == "z" * 3000
    assert last[2]["content"].startswith("The first ")
    assert last[4]["content"].endswith("… (2500 more characters left out)")
    assert "older results are left out" in last[0]["content"]


async def test_what_the_model_said_in_the_newest_turn_is_bounded_too(
    make_world: MakeWorld, tmp_path: Path
) -> None:
    """A quarter of the room for one text, half of it for the turn; the arguments stay JSON."""
    world = await make_world(
        calls_once(
            {"name": "writeFile", "arguments": {"path": "a.txt", "content": "y" * 400_000}},
            {"name": "echo", "arguments": {"value": [{str(n): n for n in range(50_000)}]}},
            text="t" * 400_000,
        )
    )
    world.limits = Limits(context_chars=20_000)
    world.tool("echo", echo)
    world.add(write_file(Artifacts(tmp_path)))
    assert (await world.pursue()).status is Status.COMPLETED
    said, *_ = world.asked[1]["messages"][2:]
    write, other = (orjson.loads(call["function"]["arguments"]) for call in said["tool_calls"])
    assert "more characters left out" in said["content"]
    assert write["path"] == "a.txt"
    assert write["content"].startswith("yyyy")
    assert "more characters left out" in write["content"]
    assert list(other) == ["left_out"]
    assert sum(len(orjson.dumps(message)) for message in world.asked[1]["messages"][2:]) <= 10_000


# ── what it is run with ─────────────────────────────────────────────────────────────────────────────────


async def test_the_run_says_which_agent_with_which_prompt_it_was(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    await world.agent("agent_2", "researcher", "Research {{objective}}.")
    await world.pursue(agent_id="agent_2", temperature=0.1, max_tokens=77)
    (started,) = await world.of(run.GoalStarted)
    used = started.agent
    assert (used.id, used.name, used.version_name) == ("agent_2", "researcher", "1")
    assert used.prompt_template == "Research {{objective}}."
    assert world.asked[0]["messages"][0]["content"] == "Research find it."
    assert (world.asked[0]["temperature"], world.asked[0]["max_tokens"]) == (0.1, 77)


async def test_constraints_are_readable_whether_the_prompt_has_a_place_for_them_or_not(
    make_world: MakeWorld,
) -> None:
    constraints = {"language": "German", "sites": ["a.org", "b.org"], "limits": {"pages": 3, "pay": False}}
    readable = "- language: German\n- sites: a.org, b.org\n- limits:\n  - pages: 3\n  - pay: no"
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    await world.pursue(constraints=constraints)
    assert f"# Constraints\n{readable}" in world.asked[0]["messages"][1]["content"]
    await world.agent("agent_2", "strict", "Obey:\n{{constraints}}")
    await world.handle(
        world.executor(), await world.request("run_2", agent_id="agent_2", constraints=constraints)
    )
    system, start = world.asked[3]["messages"]
    assert system["content"] == f"Obey:\n{readable}"
    assert "Constraints" not in start["content"]
    assert "# Objective\nfind it" in start["content"]


async def test_an_agent_that_is_gone_or_whose_model_cannot_be_called_is_stood_in_for(
    make_world: MakeWorld,
) -> None:
    world = await make_world(ONE_CALL)
    world.tool("echo", echo)
    await world.agent("agent_2", "foreign", provider="openrouter", model="m")
    assert (await world.pursue(agent_id="agent_2")).status is Status.COMPLETED
    lease = await world.request("run_2", agent_id="agent_9")
    await world.handle(world.executor(), lease)
    (foreign,), (gone,) = await world.of(run.GoalStarted), await world.of(run.GoalStarted, "run_2")
    assert foreign.agent.name == "foreign"
    assert "OPENROUTER_API_KEY" in foreign.remarks[0]
    assert gone.agent.name == "defaultAgent"
    assert gone.remarks == ("the agent agent_9 is gone; defaultAgent does its work",)


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
        await asyncio.wait_for(blocked.called.wait(), 5)
        assert (await world.state("run_2")).status is Status.PENDING
        blocked.gate.set()
        await asyncio.wait([one, two])
    assert (await world.state("run_2")).status is Status.COMPLETED
