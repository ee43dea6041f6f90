"""Runs with a budget ask a model only if they can afford the answer."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.commit import Recorded
from contracts.core.money import pico_usd
from contracts.domain import run
from contracts.domain.budget import Budget, Limit
from contracts.domain.run import RUN, RunPolicy, Status
from contracts.runtime.stream import transact
from tests import jobs
from tests.services.executor.system import ORIGIN, infer

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld, World

PRICED: dict[str, Any] = {"llm_model": "gpt-4o", "default_max_tokens": 1000}
"""A model whose price is known: 10 dollars for a million tokens of answers."""
ANSWERS = """
[[rule]]
answer.text = "A thought."
answer.cost = 0.02
answer.usage = { prompt_tokens = 900, completion_tokens = 100 }
"""
CALLS_FOR_EVER = """
[[rule]]
when.has = ["tools"]
answer.text = "Once more."
answer.cost = 0.02
answer.tool_calls = [{ name = "echo", arguments = { value = 1 } }]
"""


async def planned(world: World, *tasks: dict[str, Any], plan: str = "", **budget: Any) -> Recorded:
    """The message of a run of a plan."""
    await world.agent("agent_2", "inference", "Think.")
    job = jobs.job(*tasks, budget=budget, synthesis_plan=plan)
    await world.write(RUN, "run_1", run.Requested(dag_id="d", original_request="do it", job=job))
    return (await world.log.read("run", "run_1"))[-1]


async def raised(world: World, changes: dict[Limit, Any]) -> Recorded:
    """The message of the run after its budget was changed."""
    now = datetime.now(UTC)
    await transact(world.log, RUN, "run_1", partial(run.set_budget, changes=changes, now=now), ORIGIN)
    return [one for one in await world.log.read("run", "run_1") if one.commit.state == "pending"][-1]


async def test_a_run_stops_before_the_call_that_could_exceed_its_budget_and_goes_on_with_more(
    make_world: MakeWorld,
) -> None:
    world = await make_world(ANSWERS, **PRICED)
    lease = await planned(world, infer("1", "think"), infer("2", "think", needs=["1"]), usd="0.025")
    await world.handle(world.executor(), lease)
    state = await world.state()
    assert state.status is Status.SUSPENDED
    assert state.suspended
    assert state.suspended.startswith(
        "budget: 0.02 of 0.025 US dollars are spent, and the next call may need"
    )
    assert (list(state.done), len(world.asked)) == (["1"], 1)
    (warned,) = await world.of(run.BudgetWarned)
    assert (warned.limit, warned.spent) == ("usd", "0.02")
    await world.handle(world.executor(), await raised(world, {"usd": 1}))
    assert (await world.state()).status is Status.COMPLETED
    assert len(world.asked) == 2


async def test_steps_at_once_share_what_is_left(make_world: MakeWorld) -> None:
    """Each reserves the most that its call may cost: about 0.0105 dollars."""
    world = await make_world(ANSWERS, **PRICED)
    lease = await planned(world, *(infer(str(n), "think") for n in range(1, 6)), usd="0.025")
    await world.handle(world.executor(), lease)
    assert len(world.asked) == 2
    assert (await world.state()).status is Status.SUSPENDED


async def test_the_report_is_paid_from_the_budget_too(make_world: MakeWorld) -> None:
    world = await make_world(ANSWERS, **PRICED)
    await world.handle(
        world.executor(), await planned(world, infer("1", "think"), plan="sum up", usd="0.025")
    )
    state = await world.state()
    assert (state.status, state.ready) == (Status.SUSPENDED, ("__SYNTHESIS__",))


async def test_steps_that_ask_no_model_go_on(make_world: MakeWorld) -> None:
    world = await make_world(ANSWERS, **PRICED)

    async def echo(value: Any, _: Any) -> Any:
        return value

    world.tool("echo", echo)
    lease = await planned(world, infer("1", "think"), jobs.task("2", "echo", {"value": 7}), tokens=10)
    await world.handle(world.executor(), lease)
    state = await world.state()
    assert (state.status, state.done) == (Status.SUSPENDED, {"2": 7})
    assert not world.asked


async def test_an_agent_that_calls_for_ever_stops_at_its_budget(make_world: MakeWorld) -> None:
    world = await make_world(CALLS_FOR_EVER, **PRICED)

    async def echo(value: Any, _: Any) -> Any:
        return value

    world.tool("echo", echo)
    wanted = run.GoalRequested(
        goal_id="goal_1", objective="find it", step_budget=50, max_tokens=1000, budget=Budget(usd="0.05")
    )
    await world.write(RUN, "run_1", wanted)
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    state = await world.state()
    assert state.status is Status.FAILED
    assert state.loop
    assert (state.loop.error or "").startswith("budget: 0.04 of 0.05 US dollars are spent")
    assert len(world.asked) == 2
    await world.handle(world.executor(), await raised(world, {"usd": "0.07"}))
    assert len(world.asked) == 3


@pytest.mark.parametrize(("unpriced", "status"), [("refuse", Status.SUSPENDED), ("allow", Status.COMPLETED)])
async def test_a_model_without_a_known_price_is_asked_only_if_the_settings_allow_it(
    make_world: MakeWorld, unpriced: str, status: Status
) -> None:
    world = await make_world(ANSWERS, llm_model="made-up", budget_unpriced=unpriced)
    await world.handle(world.executor(), await planned(world, infer("1", "think"), usd=1))
    state = await world.state()
    assert state.status is status
    if status is Status.SUSPENDED:
        assert "the price of the model made-up is not known" in (state.suspended or "")


async def test_a_retried_attempt_counts_again(make_world: MakeWorld) -> None:
    refused = """
[[rule]]
times = 1
answer.body = { choices = [], usage = { prompt_tokens = 900, completion_tokens = 100, cost = 0.02 } }
"""
    world = await make_world(refused + ANSWERS, **PRICED)
    await world.handle(world.executor(), await planned(world, infer("1", "think"), usd="0.025"))
    state = await world.state()
    assert state.spent.pico_usd == 2 * 10**10
    assert state.status is Status.SUSPENDED
    assert len(world.asked) == 1


@pytest.mark.parametrize("lost", ["answer.drop = true", "answer.raw = 'half of an ans'"])
async def test_a_call_whose_answer_is_lost_counts_before_it_is_made_again(
    make_world: MakeWorld, lost: str
) -> None:
    """A call may cost about 0.0105 dollars, so the budget has room for one and not for two."""
    world = await make_world(f"[[rule]]\ntimes = 1\n{lost}\n" + ANSWERS, **PRICED)
    await world.handle(world.executor(), await planned(world, infer("1", "think"), usd="0.02"))
    state = await world.state()
    assert (state.status, len(world.asked)) == (Status.SUSPENDED, 1)
    assert pico_usd("0.01") < state.spent.pico_usd < pico_usd("0.011")
    await world.handle(world.executor(), await raised(world, {"usd": 1}))
    assert (await world.state()).status is Status.COMPLETED


@pytest.mark.parametrize("timeout", ["of the call", "of the step"])
async def test_a_call_that_takes_too_long_counts_for_every_step_that_follows(
    make_world: MakeWorld, timeout: str
) -> None:
    settings = {"llm_timeout_s": 0.1} if timeout == "of the call" else {}
    world = await make_world("[[rule]]\ntimes = 1\nanswer.hang = true\n" + ANSWERS, **PRICED, **settings)
    world.timeout_s = 0.1 if timeout == "of the step" else 5
    world.policy = RunPolicy(retries=0, parallel=1)
    await world.handle(
        world.executor(), await planned(world, infer("1", "think"), infer("2", "think"), usd="0.02")
    )
    state = await world.state()
    assert state.status is Status.SUSPENDED
    assert len(world.asked) <= 1, "the second step asks nothing"
    assert pico_usd("0.01") < state.spent.pico_usd < pico_usd("0.011")


async def test_a_call_that_takes_too_long_counts_its_tokens(make_world: MakeWorld) -> None:
    """A call may use about 1,050 tokens."""
    world = await make_world("[[rule]]\nanswer.hang = true", **PRICED, llm_timeout_s=0.1)
    await world.handle(world.executor(), await planned(world, infer("1", "think"), tokens=1500))
    state = await world.state()
    assert state.status is Status.SUSPENDED
    assert len(world.asked) <= 1
    assert 1000 < state.spent.tokens < 1500


async def test_a_call_that_a_dead_executor_has_begun_counts_before_it_is_made_again(
    make_world: MakeWorld,
) -> None:
    """A call may cost about 0.0105 dollars, so the budget has room for one and not for two."""
    world = await make_world(ANSWERS, **PRICED)
    lease = await planned(world, infer("1", "think"), usd="0.02")
    begun = run.Started(executor="dead", at=datetime.now(UTC), synthesis="merge")
    await world.write(RUN, "run_1", begun, run.StepsStarted(steps=("1",)))
    await world.handle(world.executor(), lease, 2)
    state = await world.state()
    assert (state.status, state.lost) == (Status.SUSPENDED, {"1": 1})
    assert not world.asked
    await world.handle(world.executor(), await raised(world, {"usd": "0.05"}))
    state = await world.state()
    assert (state.status, state.spent.pico_usd) == (Status.COMPLETED, 4 * 10**10)


async def test_a_budget_that_is_lowered_while_the_run_runs_stops_its_next_call(
    make_world: MakeWorld,
) -> None:
    world = await make_world(ANSWERS, **PRICED)
    await planned(world, infer("1", "think"), infer("2", "think", needs=["1"]), usd=1)
    await world.write(RUN, "run_1", run.BudgetSet(budget=Budget(usd="0.025")))
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    assert (await world.state()).status is Status.SUSPENDED
    assert len(world.asked) == 1
