"""What the model of a goal run is told: as which agent, what was said and seen, and how much of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import orjson
import pytest

from contracts.core.event import BlobRef, Json
from contracts.domain import run
from contracts.domain.run import Status
from executor.goal.limits import Limits
from executor.tools.artifacts import Artifacts
from executor.tools.tool import CallContext
from executor.tools.write_file import write_file
from tests.services.executor.goal.rules import ONE_CALL, calls_once
from tests.services.executor.system import echo

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld


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
    assert "step_1_echo_0" not in second["messages"][0]["content"]
    assert '<data origin="tool calls of this run">\nstep_1_echo_0: {' in second["messages"][1]["content"]
    assert "Left: 2" in second["messages"][0]["content"]
    assert [tool["function"]["name"] for tool in first["tools"]] == ["echo", "remember"]
    assert "tools" not in summary
    assert len(summary["messages"]) == 1
    assert 'Step 1: I look it up.\n[echo] <data origin="echo">\n{' in summary["messages"][0]["content"]
    assert summary["temperature"] == pytest.approx(0.49)


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
    assert world.asked[1]["messages"][-1]["content"].startswith(
        "That answer was cut short (it was longer than max_tokens)"
    )


async def test_a_tool_call_written_as_text_is_made(make_world: MakeWorld) -> None:
    world = await make_world(
        """
[[rule]]
times = 1
answer.text = 'I look. <tool_call>{"name": "echo", "arguments": {"value": 7}}</tool_call>'

[[rule]]
answer.text = "Seven."
"""
    )
    world.tool("echo", echo)
    await world.pursue()
    first, last = await world.of(run.TurnTaken)
    assert (first.thought, first.finish_reason) == ("I look.", "tool_calls")
    assert [(call.name, call.arguments, call.refusal) for call in first.calls] == [
        ("echo", {"value": 7}, None)
    ]
    (end,) = await world.of(run.Completed)
    assert (last.thought, end.outcome_reason) == ("Seven.", "done")


async def test_a_call_that_cannot_be_read_is_told_once_and_the_run_says_that_nothing_was_done(
    make_world: MakeWorld,
) -> None:
    world = await make_world(
        """
[[rule]]
when.has = ["tools"]
answer.text = "<tool_call>look it up</tool_call>"

[[rule]]
answer.text = "A summary."
"""
    )
    await world.pursue()
    turns = await world.of(run.TurnTaken)
    assert len(turns) == 2
    assert "cannot be read" in str(turns[0].problem)
    assert world.asked[1]["messages"][-1]["content"].startswith(
        "Your answer holds a tool call written as text"
    )
    (end,) = await world.of(run.Completed)
    assert end.outcome_reason == "nothing_done"


@pytest.mark.parametrize(("again", "reason"), [("Seven.", "done"), ("I will use echo.", "nothing_done")])
async def test_a_call_that_is_announced_and_not_made_is_asked_for_once(
    make_world: MakeWorld, again: str, reason: str
) -> None:
    calls = (
        ""
        if reason == "nothing_done"
        else 'answer.tool_calls = [{ name = "echo", arguments = { value = 7 } }]'
    )
    world = await make_world(
        f"""
[[rule]]
times = 1
answer.text = "I will now use the echo tool."

[[rule]]
times = 1
answer.text = "{again}"
{calls}

[[rule]]
answer.text = "Seven."
"""
    )
    world.tool("echo", echo)
    await world.pursue()
    turns = await world.of(run.TurnTaken)
    assert "announces a call of echo" in str(turns[0].problem)
    assert "call echo by the tool interface now" in world.asked[1]["messages"][-1]["content"]
    (end,) = await world.of(run.Completed)
    assert (end.outcome_reason, len(turns)) == (reason, 3 if reason == "done" else 2)


async def test_reasoning_is_not_part_of_what_an_agent_says(make_world: MakeWorld) -> None:
    world = await make_world("""
[[rule]]
answer.text = "<think>Maybe <tool_call></think>\\n\\nIt is done."
""")
    await world.pursue()
    (turn,) = await world.of(run.TurnTaken)
    (summary,) = await world.of(run.Summarised)
    assert turn.thought == summary.summary == "It is done."


async def test_arguments_that_were_cut_are_not_used_and_the_model_is_told_why(make_world: MakeWorld) -> None:
    world = await make_world(
        """
[[rule]]
times = 1
answer.finish_reason = "length"
[[rule.answer.tool_calls]]
name = "echo"
arguments = '{"value": "it beg'

[[rule]]
answer.text = "Done."
"""
    )
    world.tool("echo", echo)
    await world.pursue()
    told = world.asked[1]["messages"][-1]["content"]
    assert "stops before the JSON is complete" in told
    assert "cut short by max_tokens" in told


# ── what is too long ────────────────────────────────────────────────────────────────────────────────────


async def test_a_large_result_is_kept_beside_the_log_and_its_beginning_shown(make_world: MakeWorld) -> None:
    async def grow(_: Json, __: CallContext) -> Json:
        return "x" * 300_000

    world = await make_world(calls_once({"name": "grow"}))
    world.tool("grow", grow)
    await world.pursue()
    (answered,) = await world.of(run.CallAnswered)
    assert BlobRef.of(answered.result) is not None
    seen = world.asked[1]["messages"][-1]["content"]
    assert seen.startswith("x" * 50_000)
    assert seen.endswith("… (250000 more characters left out)")


async def test_a_large_result_is_fetched_once_for_all_turns_that_follow(
    make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def grow(_: Json, __: CallContext) -> Json:
        return "x" * 300_000

    world = await make_world(
        """
[[rule]]
when.has = ["tools"]
when.turn = 1
answer.text = "I grow it."
answer.tool_calls = [{ name = "grow" }]

[[rule]]
when.has = ["tools"]
answer.text = "More."
answer.tool_calls = [{ name = "echo", arguments = { value = 1 } }]
"""
    )
    world.tool("grow", grow)
    world.tool("echo", echo)
    fetched: list[BlobRef | None] = []
    blobs = world.log.format.blobs
    get = blobs.get

    async def get_and_count(ref: BlobRef) -> bytes:
        fetched.append(ref)
        return await get(ref)

    monkeypatch.setattr(blobs, "get", get_and_count)
    lease = await world.request(budget=6)
    await world.handle(world.executor(), lease)
    (grown, *_) = await world.of(run.CallAnswered)
    assert len(world.asked) == 7
    assert fetched.count(BlobRef.of(grown.result)) == 1


async def test_older_turns_are_shortened_and_the_oldest_left_out_and_the_model_is_told(
    make_world: MakeWorld,
) -> None:
    async def long(_: Json, __: CallContext) -> Json:
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
    assert "The first " in last[1]["content"]
    assert last[3]["content"].endswith("… (2500 more characters left out)")
    assert "older results are left out" in last[1]["content"]


async def test_the_text_of_the_newest_turn_is_bounded_too(make_world: MakeWorld, tmp_path: Path) -> None:
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


async def test_the_default_agent_or_model_is_used_if_the_agent_is_gone_or_its_model_cannot_be_called(
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
    assert gone.remarks == ("the agent agent_9 does not exist; defaultAgent is used instead",)
