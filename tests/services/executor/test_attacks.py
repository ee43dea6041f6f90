"""Attempts to spend more than a budget allows: by many runs at once, forks, and processes that die.

A call of the model may cost 0.0104 dollars and costs 0.01, so that a budget of 0.025 has room for two.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from contracts.core.commit import Recorded
from contracts.core.money import pico_usd
from contracts.domain import run
from contracts.domain.run import RUN, Changes, ForkedFrom, Status
from contracts.domain.shared_budget import PeriodBudget
from tests.services.executor.system import infer
from tests.services.executor.test_budgets import PRICED, planned
from tests.services.executor.test_shared_budgets import key_with, requested, spending

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.services.executor.conftest import MakeWorld, World

ROOM_FOR_TWO = "0.025"
ANSWERS = "[[rule]]\nanswer.text = 'A thought.'\nanswer.cost = 0.01"


async def forked(world: World, id_: str, original: str) -> Recorded:
    """The message of a fork that runs its only step again. Its request had the key `ci`."""
    state = await world.state(original)
    origin = ForkedFrom(run_id=original)
    await world.write(RUN, id_, *run.fork(state, Changes(start=("1",)), origin, datetime.now(UTC)))
    return (await world.log.read("run", id_))[-1]


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    world = await make_world(ANSWERS, **PRICED)
    await world.agent("agent_2", "inference", "Think.")
    return world


@pytest.mark.parametrize("executors", [1, 3])
async def test_fifty_runs_at_once_spend_no_more_than_their_key_may(world: World, executors: int) -> None:
    await key_with(world, "ci", usd_per_day=ROOM_FOR_TWO)
    leases = [await requested(world, f"run_{n}") for n in range(50)]
    processes = [world.executor() for _ in range(executors)]
    await asyncio.gather(*(world.handle(processes[n % executors], lease) for n, lease in enumerate(leases)))
    assert len(world.asked) <= 2
    states = [await world.state(f"run_{n}") for n in range(50)]
    assert sum(one.status is Status.COMPLETED for one in states) == len(world.asked)
    assert {one.status for one in states} == {Status.COMPLETED, Status.SUSPENDED}
    after = await spending(world)
    assert after.keys["ci"].month == len(world.asked) * pico_usd("0.01") <= pico_usd(ROOM_FOR_TWO)


@pytest.mark.parametrize("executors", [1, 3])
async def test_fifty_runs_of_all_keys_spend_no_more_than_the_system_may(world: World, executors: int) -> None:
    world.system = PeriodBudget(usd_per_month=ROOM_FOR_TWO)
    leases = [await requested(world, f"run_{n}") for n in range(50)]
    processes = [world.executor() for _ in range(executors)]
    await asyncio.gather(*(world.handle(processes[n % executors], lease) for n, lease in enumerate(leases)))
    assert len(world.asked) <= 2


async def test_fifty_steps_at_once_spend_no_more_than_their_run_may(world: World) -> None:
    lease = await planned(world, *(infer(str(n), "think") for n in range(1, 51)), usd=ROOM_FOR_TWO)
    await world.handle(world.executor(), lease)
    assert len(world.asked) == 2
    assert (await world.state()).spent.pico_usd == pico_usd("0.02")


async def test_a_chain_of_forks_spends_no_more_than_its_key_may(world: World) -> None:
    await key_with(world, "ci", usd_per_day=ROOM_FOR_TWO)
    await world.handle(world.executor(), await requested(world, "run_0"))
    for n in range(1, 6):
        await world.handle(world.executor(), await forked(world, f"run_{n}", f"run_{n - 1}"))
    assert len(world.asked) == 2
    assert "budget of the key ci: 0.02 of 0.025" in ((await world.state("run_5")).suspended or "")


async def test_processes_that_die_in_the_middle_of_calls_do_not_free_what_these_may_cost(
    make_world: MakeWorld, eventually: Eventually
) -> None:
    world = await make_world("[[rule]]\nanswer.hang = true", **PRICED)
    await world.agent("agent_2", "inference", "Think.")
    world.system = PeriodBudget(usd_per_day=ROOM_FOR_TWO)
    for n in range(2):
        lease = await requested(world, f"run_{n}")
        dying = asyncio.create_task(world.handle(world.executor(), lease))
        await eventually(lambda n=n: len(world.asked) == n + 1)  # type: ignore[misc]
        dying.cancel()
        await asyncio.wait([dying])
    await spending(world)
    await world.handle(world.executor(), await requested(world, "run_2"))
    assert len(world.asked) == 2
    assert (await world.state("run_2")).status is Status.SUSPENDED
