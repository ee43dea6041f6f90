"""An agent that asks a person: the conversation waits, and goes on with the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Answer, Status
from contracts.runtime.stream import transact
from executor.tools.ask_human import ask_human
from tests.services.executor.system import ORIGIN

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld
    from tests.services.executor.system import Calls

ASKS = """
[[rule]]
times = 1
answer.text = "I ask."
answer.tool_calls = [{ name = "askHuman", arguments = { question = "Which city?" } }]

[[rule]]
when.has = ["tools"]
answer.text = "It is Paris."
"""


async def test_an_agent_goes_on_with_the_answer_and_repeats_no_turn(make_world: MakeWorld) -> None:
    world = await make_world(ASKS)
    world.add(ask_human())
    await world.handle(world.executor(), await world.request(allowed_tools=("askHuman",)))
    state = await world.state()
    assert state.status is Status.WAITING
    assert state.asks.open["1.0"].title == "Which city?"
    answer = partial(
        run.answer,
        step="1.0",
        attempt=1,
        given=Answer("answer", value="Paris"),
        by="key:ann",
        now=datetime.now(UTC),
    )
    answered = await transact(world.log, RUN, "run_1", answer, ORIGIN)
    (lease,) = [one for one in await world.log.read("run", "run_1") if one.seq == answered.seq]
    await world.handle(world.executor(), lease)
    assert (await world.state()).status is Status.COMPLETED
    assert [one.result for one in await world.of(run.CallAnswered)] == ["Paris"]
    assert len(await world.of(run.TurnTaken)) == 2
    assert len(await world.of(run.GoalStarted)) == 1
    assert "Paris" in world.asked[1]["messages"][-1]["content"]


SENDS = """
[[rule]]
times = 1
answer.text = "I send."
answer.tool_calls = [{ name = "send", arguments = { value = "hello" } }]

[[rule]]
when.has = ["tools"]
answer.text = "It is sent."
"""


async def test_a_call_of_an_agent_waits_if_its_goal_names_the_tool_for_approval(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(SENDS)
    world.tool("send", calls.count, Effect.ONCE)
    await world.handle(world.executor(), await world.request(approvals=("send", "post")))
    state = await world.state()
    assert state.status is Status.WAITING
    assert (state.asks.open["1.0"].kind, state.asks.open["1.0"].params) == ("approval", {"value": "hello"})
    assert not calls.keys
    (started,) = await world.of(run.GoalStarted)
    assert started.remarks == ("calls of the tool post need an approval, but it does not exist",)

    answer = partial(
        run.answer, step="1.0", attempt=1, given=Answer("approve"), by="key:ann", now=datetime.now(UTC)
    )
    answered = await transact(world.log, RUN, "run_1", answer, ORIGIN)
    (lease,) = [one for one in await world.log.read("run", "run_1") if one.seq == answered.seq]
    await world.handle(world.executor(), lease)
    assert (await world.state()).status is Status.COMPLETED
    assert calls.keys == ["run_1/1.0"]


async def test_a_fork_of_an_agents_run_waits_before_it_makes_the_call_again(
    make_world: MakeWorld, calls: Calls
) -> None:
    world = await make_world(SENDS)
    world.tool("send", calls.count, Effect.ONCE)
    await world.handle(world.executor(), await world.request(approvals=("send",)))
    changed = {"1.0": run.StepChange(params={"value": "bye"})}
    origin = run.ForkedFrom(run_id="run_1", replaces=True)
    forked = run.fork(await world.state(), run.Changes(steps=changed), origin, datetime.now(UTC))
    await transact(world.log, RUN, "run_2", lambda _: forked, ORIGIN)
    await world.handle(world.executor(), (await world.log.read("run", "run_2"))[-1])
    state = await world.state("run_2")
    assert state.status is Status.WAITING
    assert state.asks.open["1.0"].params == {"value": "bye"}
    assert not calls.keys


async def test_an_agent_asks_nobody_if_its_goal_does_not_name_the_tool(make_world: MakeWorld) -> None:
    """Clients that know no questions would wait for ever."""
    world = await make_world(ASKS)
    world.add(ask_human())
    await world.handle(world.executor(), await world.request())
    assert "askHuman" not in (await world.of(run.GoalStarted))[0].tools
    assert (await world.state()).status is not Status.WAITING
