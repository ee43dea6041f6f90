"""The planner as its process runs it, on a real NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.commit import all_events
from contracts.core.ids import new_id
from contracts.core.outcome import Reject
from contracts.core.subjects import EXECUTOR_ALIVE, state_filter
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import agent, dag, executors
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG, Planned
from contracts.domain.executors import ExecutorAlive
from contracts.domain.registry import CODEC
from contracts.domain.run import RUN
from contracts.runtime.catalogue import publish
from contracts.runtime.nats_log import nats_log
from contracts.runtime.stream import Origin, Stream
from deploy.scripted_llm import ScriptedLlm
from deploy.scripted_llm.rules import Rule, ScriptedAnswer
from planner.default_agents import default_agents
from planner.planner import Planner
from planner.service import build
from planner.settings import PlannerSettings
from tests.agents_read import agents_read

if TYPE_CHECKING:
    from tests.services.planner.conftest import World

pytestmark = pytest.mark.nats

READ_FILE = ToolSpec(name="readFile", description="Reads a file", parameters={}, effect=Effect.READ)


@asynccontextmanager
async def running(settings: PlannerSettings) -> AsyncGenerator[None]:
    """The workers of a planner process, stopped as on SIGTERM."""
    async with build(settings) as planner:
        assert await planner.checks["nats"]() is None
        workers = [asyncio.ensure_future(worker()) for worker in planner.workers]
        yield
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


async def test_a_message_that_is_parked_leaves_a_rejected_dag(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = PlannerSettings(_env_file=None, nats_url=nats_url, data_dir=tmp_path, instance="test")

    async def broken(*_: object) -> None:
        raise Reject("nothing to be done")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Planner, "_plan", broken)
    async with nats_log(settings, CODEC, name="test") as log:
        wanted = dag.Requested(goal_text="Read it", agent_name="DecomposerV8")
        await (await Stream.open(log, DAG, "d1", Origin("/gateway/1"))).append([wanted])
        async with running(settings), aclosing(log.tail(state_filter(DAG.name, "rejected"))) as rejected:
            (recorded,) = await anext(rejected)

    (event,) = recorded.commit.events
    assert isinstance(event, dag.Rejected)
    assert "nothing to be done" in event.error


async def test_a_plan_is_made_with_the_tools_that_somebody_alive_can_call(
    world: World,
    job: dict[str, Any],
    nats_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    eventually: Any,
) -> None:
    settings = PlannerSettings(_env_file=None, nats_url=nats_url, data_dir=tmp_path, instance="test")
    alive = ExecutorAlive(instance="e", capacity=1, tools=("readFile",)).model_dump_json().encode()
    monkeypatch.setattr(executors, "SILENCE_S", 0.2)
    async with (
        ScriptedLlm([Rule(answer=ScriptedAnswer(job=job))]) as llm,
        nats_log(settings, CODEC, name="test") as log,
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LLM_PROVIDER", "openai")
        monkeypatch.setenv("LLM_MODEL", "gpt-4o")
        monkeypatch.setenv("OPENAI_BASE_URL", llm.base_url)
        gone = READ_FILE.model_copy(update={"name": "vanishedTool"})
        await publish(log.connection, [READ_FILE, gone])

        async def planned_without_it() -> bool:
            await log.connection.publish(EXECUTOR_ALIVE, alive)
            wanted = dag.Requested(goal_text="Read it", agent_name="DecomposerV8")
            stream = await Stream.open(log, DAG, new_id(), Origin("/gateway/1"))
            await stream.append([wanted])
            while stream.state.status is not dag.Status.PLANNED:
                await stream.refresh()
            prompts = [str(one.body) for one in llm.requests if "readFile" in str(one.body)]
            return bool(prompts) and "vanishedTool" not in prompts[-1]

        async with running(settings):
            await eventually(planned_without_it)


async def test_a_process_makes_plans_with_the_agents_it_brings(
    world: World,
    job: dict[str, Any],
    nats_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    settings = PlannerSettings(_env_file=None, nats_url=nats_url, data_dir=tmp_path, instance="test")
    wanted = dag.Requested(goal_text="Read it", agent_name="DecomposerV8", run_id="dag-exec_1")
    async with (
        ScriptedLlm([Rule(answer=ScriptedAnswer(job=job))]) as llm,
        nats_log(settings, CODEC, name="test") as log,
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LLM_PROVIDER", "openai")
        monkeypatch.setenv("LLM_MODEL", "gpt-4o")
        monkeypatch.setenv("OPENAI_BASE_URL", llm.base_url)
        await publish(log.connection, world.catalogue.all())
        await (await Stream.open(log, DAG, "d1", Origin("/gateway/1"))).append([wanted])

        async with running(settings), aclosing(log.tail(state_filter(RUN.name))) as runs:
            await anext(runs)

        *_, planned = all_events(one.commit for one in await log.read(DAG.name, "d1"))
        assert isinstance(planned, Planned)
        assert len(await log.read(RUN.name, "dag-exec_1")) == 1


async def test_a_planner_continues_from_its_snapshot(
    nats_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    """It reads only the agents that came after it, and creates no default agent again."""
    monkeypatch.setattr("contracts.runtime.snapshot.COMMITS", 1)
    settings = PlannerSettings(_env_file=None, nats_url=nats_url, data_dir=tmp_path, instance="test")
    read = agents_read(monkeypatch)

    async def known(*seqs: int) -> bool:
        return read == list(seqs)

    seeded = range(1, len(default_agents()) + 1)
    async with nats_log(settings, CODEC, name="test") as log:
        async with running(settings):
            await eventually(lambda: known(*seeded))
        stream = await Stream.open(log, AGENT, "agent_2", Origin("/gateway/1"))
        later = await stream.append([agent.Created(name="x", version_name="1", prompt_template="x")])
        async with running(settings):
            await eventually(lambda: known(*seeded, later))
    assert (tmp_path / "planner.snapshot").is_file()
