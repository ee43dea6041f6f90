"""The default agents: there from the first start on, and never again in anybody's way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable

import pytest

from contracts.core.event import Event
from contracts.core.subjects import state_filter
from contracts.domain import agent
from contracts.domain.agent import AGENT, Directory
from contracts.runtime.follow import Follower
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from planner.default_agents import DefaultAgent, default_agents
from planner.seed import seed_agents
from tests.any_source import CODEC

ORIGIN = Origin("/planner/1")
NAMES = {
    "defaultAgent",
    "DecomposerV8",
    "DecomposerV7",
    "TitleMaster",
    "inference",
    "ParaphrasePro",
    "SketchMentor",
}
POET = DefaultAgent("poet", "writes poems", "Rhyme.")
POET_ID = agent.agent_id("poet", POET.version)

Know = Callable[[], Awaitable[Directory]]


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(CODEC)


@pytest.fixture
async def know(log: MemoryLog) -> AsyncGenerator[Know]:
    """Every agent as another process sees it now."""
    following: list[asyncio.Task[None]] = []

    async def caught_up() -> Directory:
        directory = Directory()
        follower = Follower(log, state_filter(AGENT.name), fold=directory.fold)
        following.append(asyncio.create_task(follower.run()))
        await follower.catch_up()
        return directory

    yield caught_up
    for task in following:
        task.cancel()
    await asyncio.gather(*following, return_exceptions=True)


async def happened(log: MemoryLog, agent_id: str, *events: Event) -> None:
    stream = await Stream.open(log, AGENT, agent_id, ORIGIN)
    await stream.append(events)


async def test_a_new_log_gets_every_default_agent_active(log: MemoryLog, know: Know) -> None:
    await seed_agents(log, await know(), default_agents(), ORIGIN)

    known = await know()
    assert known.names() >= NAMES
    entry = known.active("DecomposerV8")
    assert entry is not None
    assert "{{tools}}" in entry.state.prompt_template
    assert entry.state.metadata == {
        "description": "Plans a goal as a DAG of sub-tasks",
        "createdBy": "system",
    }


async def test_a_second_start_adds_nothing(log: MemoryLog, know: Know) -> None:
    await seed_agents(log, await know(), default_agents(), ORIGIN)
    before = await log.last_seq()

    await seed_agents(log, await know(), default_agents(), ORIGIN)

    assert await log.last_seq() == before


async def test_planners_that_start_together_seed_once(log: MemoryLog, know: Know) -> None:
    empty = await know()

    await asyncio.gather(*[seed_agents(log, empty, default_agents(), ORIGIN) for _ in range(3)])

    assert await log.last_seq() == len(default_agents())


async def test_a_deleted_default_agent_stays_deleted(log: MemoryLog, know: Know) -> None:
    await seed_agents(log, await know(), [POET], ORIGIN)
    await happened(log, POET_ID, agent.Deleted())

    await seed_agents(log, await know(), [POET], ORIGIN)

    assert "poet" not in (await know()).names()


async def test_a_version_somebody_made_and_activated_stays_the_active_one(log: MemoryLog, know: Know) -> None:
    own = agent.Created(name="poet", version_name="mine", prompt_template="Do not rhyme.")
    await happened(log, agent.agent_id("poet", "mine"), own, agent.Activated(name="poet"))

    await seed_agents(log, await know(), [POET], ORIGIN)

    known = await know()
    assert known.is_active(agent.agent_id("poet", "mine"))
    assert known.get(POET_ID) is not None
    assert not known.is_active(POET_ID)


async def test_an_edited_default_agent_stays_as_edited(log: MemoryLog, know: Know) -> None:
    await seed_agents(log, await know(), [POET], ORIGIN)
    await happened(log, POET_ID, agent.Updated(prompt_template="Limericks only."))

    await seed_agents(log, await know(), [POET], ORIGIN)

    entry = (await know()).active("poet")
    assert entry is not None
    assert entry.state.prompt_template == "Limericks only."
