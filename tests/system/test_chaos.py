"""Processes killed at random under load: everything accepted completes, every step of it once."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from deploy.local.system import NATS, SERVICES

if TYPE_CHECKING:
    from tests.system.conftest import Bed, StartBed

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.system,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="session"),
]

ROUNDS = 30
EXECUTIONS = 10
WIDTH = 4
SHORT_LEASE_S = 15


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def bed(start_bed: StartBed, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Bed]:
    """With short leases: what was on its way to an executor when it was killed comes again after one."""
    async with start_bed(tmp_path_factory.mktemp("chaos"), lease_s=SHORT_LEASE_S) as bed:
        yield bed


@pytest.mark.parametrize("seed", range(3))
async def test_nothing_is_lost_and_nothing_is_done_twice(
    bed: Bed, seed: int, eventually: Any, counted: Callable[..., Any]
) -> None:
    chance = random.Random(seed)
    victims: Counter[str] = Counter()
    accepted: list[str] = []
    for number in range(ROUNDS):
        names = [f"chaos-{seed}-{number}-{n}" for n in range(WIDTH)]
        job = bed.hooks.job({**dict.fromkeys(names, ()), f"chaos-{seed}-{number}-last": names})
        enough = bed.hooks.calls.total() + chance.randrange(EXECUTIONS * WIDTH)
        asked = await asyncio.gather(*(bed.client.dags.execute_job(job) for _ in range(EXECUTIONS)))
        accepted += [started.execution_id for started in asked]
        await eventually(lambda: bed.hooks.calls.total() >= enough)  # noqa: B023
        victim = chance.choice((*SERVICES, NATS))
        victims[victim] += 1
        bed.system.kill(victim)
        await bed.system.ready()
    for execution_id in accepted:
        assert await bed.end(execution_id, timeout_s=120) == "completed", victims
        steps = counted(await bed.history(execution_id))
        assert set(steps.completions.values()) == {1}
        for step, starts in steps.starts.items():
            assert bed.hooks.calls[f"{execution_id}/{step}"] <= starts
