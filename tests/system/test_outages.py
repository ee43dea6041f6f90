"""A NATS of the test's own, which it can stop, and two executors on it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from contracts.client import Client
from contracts.domain import run
from contracts.runtime.process.settings import Durability
from deploy.local.nats_server import NatsServer, running

if TYPE_CHECKING:
    from tests.system.conftest import Bed, StartBed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

OUTAGE_S = 5.0
Counted = Callable[..., Any]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def nats(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[NatsServer]:
    async with running(NatsServer(tmp_path_factory.mktemp("nats"), durability=Durability.FAST)) as server:
        yield server


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def pair(
    nats: NatsServer, start_bed: StartBed, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Bed]:
    """A system on that NATS, with two executors."""
    data: Path = tmp_path_factory.mktemp("pair")
    async with start_bed(data, nats_url=nats.url, executors=2) as bed:
        yield bed


async def test_one_of_two_executors_is_killed_and_the_other_continues(pair: Bed, counted: Counted) -> None:
    """Both hold executions; those of the killed one are taken over, the other's are left alone."""
    gates = {f"shared-{n}": pair.hooks.gate(f"shared-{n}") for n in range(8)}
    started = {
        step: (
            await pair.client.dags.execute_job(pair.hooks.job({step: (), f"{step}-then": (step,)}))
        ).execution_id
        for step in gates
    }
    for gate in gates.values():
        await gate.called.wait()
    holders = {step: await holder(pair, execution_id) for step, execution_id in started.items()}
    assert set(holders.values()) == {"executor", "executor-2"}

    pair.system.kill("executor-2")
    for gate in gates.values():
        gate.open()

    for step, execution_id in started.items():
        assert await pair.end(execution_id) == "completed"
        steps = counted(await pair.history(execution_id))
        assert steps.starts == {step: 2 if holders[step] == "executor-2" else 1, f"{step}-then": 1}
        assert steps.completions[step] == 1
    await pair.system.ready()


async def test_requests_during_an_outage_of_nats_are_carried_out_afterwards(
    pair: Bed, nats: NatsServer, counted: Counted
) -> None:
    """A step in progress is not disturbed, and nothing is accepted that could be lost."""
    gate = pair.hooks.gate("outage-1")
    job = pair.hooks.job({"outage-1": (), "outage-2": ("outage-1",)})
    execution_id = (await pair.client.dags.execute_job(job)).execution_id
    await gate.called.wait()
    async with Client(pair.system.url) as other:
        await nats.stop()
        asking = asyncio.create_task(other.dags.execute_job(pair.hooks.job({"accepted-late": ()})))
        gate.open()
        answered, _ = await asyncio.wait([asking], timeout=OUTAGE_S)
        assert not answered, "an answer without a log to keep the promise"
        assert not (await other.ready()).is_ready
        await nats.start()
        accepted = await asking
    assert await pair.end(execution_id) == "completed"
    assert await pair.end(accepted.execution_id) == "completed"
    assert counted(await pair.history(execution_id)).starts == {"outage-1": 1, "outage-2": 1}
    assert pair.hooks.calls[f"{execution_id}/outage-1"] == 1
    await pair.system.ready()


async def holder(bed: Bed, execution_id: str) -> str:
    """The process that took a run on."""
    (started,) = [event for event in await bed.history(execution_id) if isinstance(event, run.Started)]
    instance, _, _ = started.executor.rpartition("-")
    return next(name for name, one in bed.system.programs.items() if one.env["INSTANCE"] == instance)
