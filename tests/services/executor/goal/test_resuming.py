"""What executors do with goal runs that clients resume."""

from __future__ import annotations

from typing import TYPE_CHECKING

from contracts.domain import memory, run
from contracts.domain.memory import MEMORY
from contracts.domain.run import RUN, Status
from contracts.llm import Llm, LlmSettings
from contracts.runtime.stream import transact
from tests.services.executor.goal.rules import calls_once
from tests.services.executor.system import ORIGIN, echo

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld, World

ONE_CALL = calls_once({"name": "first", "arguments": {"value": 1}})
AGAIN = """
[[rule]]
when.user = "had failed when you finished"
times = 1
answer.text = "Once more."
answer.tool_calls = [{ name = "first", arguments = { value = 2 } }]
"""


async def resumed(world: World) -> run.State:
    """Resume the run, and let one executor bring it to its end."""
    await transact(world.log, RUN, "run_1", run.resume, ORIGIN)
    lease = (await world.log.read("run", "run_1"))[-1]
    await world.handle(world.executor(), lease)
    return await world.state()


async def test_a_run_that_failed_without_a_model_continues_when_there_is_one(make_world: MakeWorld) -> None:
    world = await make_world(ONE_CALL)
    world.tool("first", echo)
    there, world.llm = world.llm, Llm(LlmSettings(_env_file=None))
    state = await world.pursue()
    assert state.status is Status.FAILED

    world.llm = there
    state = await resumed(world)

    assert (state.status, len(state.loop.turns) if state.loop else 0) == (Status.COMPLETED, 2)


async def test_a_run_that_ended_with_failed_calls_goes_on_and_the_agent_is_told_why(
    make_world: MakeWorld,
) -> None:
    world = await make_world(AGAIN + ONE_CALL)

    async def broken_once(value: int, call: object) -> int:
        if value == 1:
            raise ValueError("broken")
        return value

    world.tool("first", broken_once)
    state = await world.pursue()
    assert state.loop
    assert state.loop.outcome_reason == "calls_failed"
    asked = len(world.asked)

    state = await resumed(world)

    assert state.loop
    assert (state.status, state.loop.outcome_reason, len(state.loop.turns)) == (Status.COMPLETED, "done", 4)
    assert "Some tool calls had failed when you finished" in world.asked[asked]["messages"][-1]["content"]
    assert len(await world.of(run.Summarised)) == 2


async def test_a_resumed_run_keeps_the_memories_that_it_began_with(make_world: MakeWorld) -> None:
    world = await make_world('[[rule]]\nanswer.status = 400\nanswer.text = "no"\ntimes = 1\n' + ONE_CALL)
    world.tool("first", echo)
    fact = memory.Memory(type=memory.Kind.FACT, content="it rains", run_id="run_0")
    await world.write(MEMORY, "goal_1", memory.Kept(run_id="run_0", added=(fact,), recalled=(fact,)))
    state = await world.pursue()
    assert state.status is Status.FAILED
    other = memory.Memory(type=memory.Kind.FACT, content="it snows", run_id="run_x")
    await world.write(MEMORY, "goal_1", memory.Kept(run_id="run_x", added=(other,), recalled=(fact, other)))

    state = await resumed(world)

    assert state.loop
    assert state.loop.started
    assert state.loop.started.memories == (fact,)
