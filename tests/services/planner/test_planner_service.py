"""The planner as its process runs it, on a real NATS."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from contracts import dag
from contracts.commit import all_events
from contracts.dag import DAG, Planned
from contracts.registry import CODEC
from contracts.run import RUN
from contracts.runtime.catalogue import publish
from contracts.runtime.nats_log import nats_log
from contracts.runtime.stream import Origin, Stream
from contracts.subjects import state_filter
from deploy.local.scripted_llm import ScriptedLlm
from deploy.local.scripted_llm.rules import Answer, Rule
from planner.service import build
from planner.settings import PlannerSettings

if TYPE_CHECKING:
    from tests.services.planner.conftest import World

pytestmark = pytest.mark.nats


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
        ScriptedLlm([Rule(answer=Answer(job=job))]) as llm,
        nats_log(settings, CODEC, name="test") as log,
    ):
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("LLM_PROVIDER", "openai")
        monkeypatch.setenv("LLM_MODEL", "gpt-4o")
        monkeypatch.setenv("OPENAI_BASE_URL", llm.base_url)
        await publish(log.connection, world.catalogue.all())
        await (await Stream.open(log, DAG, "d1", Origin("/test/1"))).append([wanted])

        async with running(settings), aclosing(log.tail(state_filter(RUN.name))) as runs:
            await anext(runs)

        *_, planned = all_events(one.commit for one in await log.read(DAG.name, "d1"))
        assert isinstance(planned, Planned)
        assert len(await log.read(RUN.name, "dag-exec_1")) == 1
