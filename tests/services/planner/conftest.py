"""Planners on a memory log, asking a real HTTP server that plays the LLM."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Commit, Recorded, all_events
from contracts.core.event import Event
from contracts.core.subjects import state_filter
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import agent, dag
from contracts.domain.agent import AGENT, Directory
from contracts.domain.dag import DAG
from contracts.domain.keys import Keys
from contracts.domain.run import RUN
from contracts.domain.shared_budget import PeriodBudget
from contracts.llm import Llm, LlmSettings
from contracts.llm.backoff import Backoff
from contracts.runtime.catalogue import Catalogue
from contracts.runtime.consumer.delivery import Delivery
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.follow import Follower
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, Stream
from contracts.spending import SharedBudget
from deploy.scripted_llm import ScriptedLlm
from deploy.scripted_llm.rules import Rule, ScriptedAnswer, When
from planner.planner import Planner
from tests.any_source import CODEC

ORIGIN = Origin("/test/1", actor="key:ci")
PLANNER = "/planner/test"
NOW = datetime(2026, 11, 23, 6, 45, 42, tzinfo=UTC)
READ_FILE = ToolSpec(
    name="readFile",
    description="Reads a file",
    effect=Effect.READ,
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
        "additionalProperties": False,
    },
)


class Model:
    """What the LLM will say: plans one after the other, titles always the same."""

    def __init__(self) -> None:
        self.title = ScriptedAnswer(
            text="A title", cost=0.5, usage={"prompt_tokens": 2, "completion_tokens": 1}
        )
        self.rules: list[Rule] = []

    def says(self, *answers: ScriptedAnswer | str | dict[str, Any]) -> None:
        """The next answers, one for each request: whole ones, texts, or plans."""
        when = When.model_validate({"system": "^You plan"})
        self.rules += [Rule(when=when, answer=_answer(one), times=1) for one in answers]

    def script(self) -> Sequence[Rule]:
        return (Rule(when=When.model_validate({"system": "^Task: "}), answer=self.title), *self.rules)


class InterruptedLog(MemoryLog):
    """A log where somebody may come just before a planner."""

    before_append: Callable[[], Awaitable[None]] | None = None
    """Called once, between a planner's decision and its append."""

    async def append(self, commit: Commit, *, after: int) -> int:
        if commit.source == PLANNER and (interrupt := self.before_append):
            self.before_append = None
            await interrupt()
        return await super().append(commit, after=after)


class World:
    """One log, any number of planners, one LLM."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.log = InterruptedLog(CODEC)
        self.catalogue = Catalogue()
        self.model = Model()
        self.system = PeriodBudget()
        """What models may cost in the whole system."""
        self.waits: list[float] = []
        """Seconds that the LLM clients waited between tries."""
        self.server: ScriptedLlm

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The requests for a plan so far."""
        return [dict(one.body) for one in self.server.requests if not _wants_title(one.body)]

    async def planner(self, llm: Llm | None = None, **options: Any) -> Planner:
        """A planner process of its own; the first one starts the LLM with what it was told to say."""
        if llm is None:
            llm = await self.llm()
        agents = Directory()
        follower = Follower(self.log, state_filter(AGENT.name), fold=agents.fold)
        shared = SharedBudget(self.log, llm, self.system, Keys(), source=PLANNER)
        self._stack.push_async_callback(shared.aclose)
        options = {"pay": shared.pay, **options}
        following = asyncio.create_task(follower.run())
        self._stack.callback(following.cancel)
        return Planner(self.log, llm, agents, follower, self.catalogue, PLANNER, lambda: NOW, **options)

    async def llm(self, **settings: Any) -> Llm:
        """A client of the scripted LLM, which does not wait between tries."""
        if not hasattr(self, "server"):
            self.server = await self._stack.enter_async_context(ScriptedLlm(self.model.script()))
        given = {
            "llm_provider": "openai",
            "llm_model": "gpt-4o",
            "openai_base_url": self.server.base_url,
            "ollama_base_url": self.server.url,
            **settings,
        }
        return self.unconfigured_llm(**given)

    def unconfigured_llm(self, **settings: Any) -> Llm:
        """A client with these settings only."""
        llm = Llm(LlmSettings(_env_file=None, **settings), Backoff(sleep=self._wait, jitter=lambda: 1.0))
        self._stack.push_async_callback(llm.aclose)
        return llm

    async def agent(self, name: str, prompt: str, **fields: Any) -> None:
        """An active agent."""
        created = agent.Created(name=name, version_name="1", prompt_template=prompt, **fields)
        await self.happened(name, created, agent.Activated(name=name), aggregate=AGENT)

    async def request(self, dag_id: str = "d1", **fields: Any) -> None:
        """Somebody wants a plan."""
        wanted = {"goal_text": "Read it", "agent_name": "Decomposer", **fields}
        await self.happened(dag_id, dag.Requested.model_validate(wanted))

    async def happened(self, id_: str, *events: Event, aggregate: Aggregate[Any] = DAG) -> None:
        """Somebody else's commit."""
        stream = await Stream.open(self.log, aggregate, id_, ORIGIN)
        await stream.append(events)

    async def deliver(self, planner: Planner, dag_id: str = "d1", *, index: int = -1) -> None:
        """Give the newest message of the queue about a DAG to a planner, or the one at `index`."""
        queued = [one for one in await self.commits(DAG.name, dag_id) if one.commit.state == "requested"]
        await planner.handle(queued[index], Delivery(queued[index].seq, 1, "", Lease(60)))

    async def plan(self, dag_id: str = "d1", **fields: Any) -> Sequence[Event]:
        """Request a plan and have it made; the events of the DAG after the request."""
        await self.request(dag_id, **fields)
        await self.deliver(await self.planner(), dag_id)
        return (await self.events(dag_id))[1:]

    async def commits(self, aggregate: str, aggregate_id: str) -> Sequence[Recorded]:
        return await self.log.read(aggregate, aggregate_id)

    async def events(self, dag_id: str = "d1") -> Sequence[Event]:
        """Everything that happened to a DAG."""
        return all_events(one.commit for one in await self.commits(DAG.name, dag_id))

    async def runs(self, run_id: str) -> Sequence[Event]:
        """Everything that happened to a run."""
        return all_events(one.commit for one in await self.commits(RUN.name, run_id))

    async def close(self) -> None:
        """End all processes."""
        await self._stack.aclose()

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    """A log with an agent that plans, one that makes titles, and one that infers."""
    for name in LlmSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    async with AsyncExitStack() as stack:
        world = World(stack)
        world.catalogue.add(READ_FILE)
        await world.agent("Decomposer", "You plan. {{currentDate}} {{tools}}")
        await world.agent("TitleMaster", "Name it.")
        await world.agent("inference", "Think.")
        yield world


@pytest.fixture
def job() -> dict[str, Any]:
    """A plan that can be executed, as a model gives it."""
    return deepcopy(JOB)


def _answer(given: ScriptedAnswer | str | dict[str, Any]) -> ScriptedAnswer:
    match given:
        case ScriptedAnswer():
            return given
        case str():
            return ScriptedAnswer(text=given)
        case _:
            return ScriptedAnswer(job=given, cost=1.25, usage={"prompt_tokens": 10, "completion_tokens": 20})


def _wants_title(body: Any) -> bool:
    return str(body["messages"][0]["content"]).startswith("Task: ")


JOB: dict[str, Any] = json.loads("""
{
  "original_request": "the model's words",
  "intent": {"primary": "read", "sub_intents": []},
  "entities": [],
  "sub_tasks": [
    {
      "id": "A", "description": "read it", "thought": "it is there", "action_type": "tool",
      "tool_or_prompt": {"name": "readFile", "params": {"path": "a {{currentDate}}.txt"}},
      "expected_output": "text", "dependencies": ["none"]
    },
    {
      "id": "B", "description": "shorten it", "thought": "it is long", "action_type": "inference",
      "tool_or_prompt": {"name": "inference", "params": {"prompt": "<Result of Task A> Shorten."}},
      "expected_output": "text", "dependencies": ["A"]
    }
  ],
  "synthesis_plan": "as it is",
  "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
  "clarification_needed": false
}
""")
