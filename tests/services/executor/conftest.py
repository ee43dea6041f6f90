"""Executors that pursue goals over a memory log, with tools of the tests and a scripted model."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Hashable, Sequence
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any, Protocol

import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Recorded, all_events
from contracts.core.event import Event, Json
from contracts.core.tool import Effect
from contracts.domain import agent, run
from contracts.domain.agent import AGENT, Directory
from contracts.domain.keys import Keys
from contracts.domain.run import RUN, RunPolicy
from contracts.domain.shared_budget import PeriodBudget
from contracts.llm import Llm, LlmSettings
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import transact
from contracts.spending import SharedBudget
from deploy.scripted_llm import ScriptedLlm, parse_rules
from executor.after_run.after_run import AfterRun
from executor.after_run.run_result import SHOWN
from executor.executor import Executor
from executor.goal.limits import Limits
from executor.goal.workload import AgentWorkload
from executor.plan.workload import PlanWorkload
from executor.policy.rules import DEFAULT_RULES
from executor.resources import Resources
from executor.tools.registry import Registry
from executor.tools.tool import CallContext, Tool
from executor.waits import Waits
from executor.workload import Workloads
from tests.any_source import CODEC
from tests.prompts import require_untrusted_apart
from tests.services.executor.system import ORIGIN, Body, Calls, Params, handle, handling
from tests.waiting import WAIT_S

RUN_ID = "run_1"
TEMPLATE = (
    "You are to: {{objective}}\nTools:\n{{toolsList}}\nKnown: {{workingMemory}}\nLeft: {{stepsRemaining}}"
)
SUMMARY_RULE = """
[[rule]]
name = "summary"
when.user = "Sum it up"
answer.text = "All done."
"""


class World:
    """A log, a model that answers by rules, and executors that can die."""

    def __init__(self, scripted: ScriptedLlm, llm: Llm) -> None:
        self.log = MemoryLog(CODEC)
        self.scripted = scripted
        self.llm = llm
        self.agents = Directory()
        self.policy = RunPolicy(backoff_s=0.0)
        self.limits = Limits()
        self.rules = DEFAULT_RULES
        self.told: list[tuple[str, dict[str, Json]]] = []
        self._tools: list[tuple[str, Tool[Any]]] = []
        self._names = 0
        self.timeout_s = WAIT_S
        """Maximum seconds of one attempt at a step."""
        self.system = PeriodBudget()
        """What models may cost in the whole system."""
        self.keys = Keys()
        self.shared: list[SharedBudget] = []
        """The shared budget of each process."""

    def tool(self, name: str, body: Body, effect: Effect = Effect.READ) -> None:
        async def run_(params: Params, call: CallContext) -> Json:
            return await body(params.value, call)

        self.add(Tool(name=name, description=f"does {name}", accepts=Params, effect=effect, run=run_))

    def add(self, tool: Tool[Any]) -> None:
        self._tools.append(("test", tool))

    def executor(self) -> Executor:
        """One more process."""
        self._names += 1
        resources = self._resources()
        workloads: Workloads = {
            "plan": PlanWorkload(resources, self.policy, self.rules),
            "agent": AgentWorkload(self.log, resources, self.policy, self.limits, self.rules),
        }
        return Executor(self.log, workloads, f"e{self._names}")

    def after_run(self) -> AfterRun:
        """One more process that does what follows from the end of a run."""
        return AfterRun(self.log, self._resources(), self.policy, "/executor/e")

    def _resources(self) -> Resources:
        async def tell(run_id: str, message: dict[str, Json]) -> None:
            self.told.append((run_id, message))

        blobs = self.log.format.blobs
        registry = Registry.of(self._tools)
        shared = SharedBudget(self.log, self.llm, self.system, self.keys, source="/executor/e")
        self.shared.append(shared)
        return Resources(
            registry,
            self.llm,
            self.agents,
            blobs,
            tell,
            max_steps=100,
            timeout_s=self.timeout_s,
            pay=shared.pay,
        )

    async def write(self, aggregate: Aggregate[Any], id_: str, *events: Event) -> None:
        """One commit."""
        await transact(self.log, aggregate, id_, _once(events), ORIGIN)

    async def agent(self, id_: str, name: str, template: str = TEMPLATE, **given: Any) -> None:
        """An active agent."""
        created = agent.Created(name=name, version_name="1", prompt_template=template, **given)
        await self.write(AGENT, id_, created, agent.Activated(name=name))
        self.agents.fold(await self.log.read("agent", id_))

    async def request(self, id_: str = RUN_ID, *, budget: int = 5, **given: Any) -> Recorded:
        """The message that the queue holds for a new run."""
        wanted = run.GoalRequested(
            **{"goal_id": "goal_1", "objective": "find it", "step_budget": budget, **given}
        )
        await self.write(RUN, id_, wanted)
        return (await self.log.read("run", id_))[-1]

    async def events(self, id_: str = RUN_ID, aggregate: str = "run") -> Sequence[Event]:
        return all_events(one.commit for one in await self.log.read(aggregate, id_))

    async def of(self, kind: type[Any], id_: str = RUN_ID, aggregate: str = "run") -> list[Any]:
        """The events of one type."""
        return [event for event in await self.events(id_, aggregate) if isinstance(event, kind)]

    async def state(self, id_: str = RUN_ID) -> run.State:
        return RUN.fold(await self.events(id_))

    async def pursue(self, **given: Any) -> run.State:
        """Request a run and let one executor bring it to its end."""
        lease = await self.request(**given)
        await self.handle(self.executor(), lease)
        return await self.state()

    async def end(self, id_: str = RUN_ID) -> Recorded:
        """The newest commit that ended the run."""
        return [one for one in await self.log.read("run", id_) if one.commit.state in SHOWN][-1]

    async def settle(self, id_: str = RUN_ID) -> None:
        """Let one process do what follows from the newest end of the run."""
        await self.handle(self.after_run(), await self.end(id_))

    handle = staticmethod(handle)
    handling = staticmethod(handling)

    @property
    def asked(self) -> list[Any]:
        """The bodies of all requests to the model."""
        return [request.body for request in self.scripted.requests]


def _once(events: Sequence[Event]) -> Callable[[Any], Sequence[Event]]:
    return lambda _: events


class MakeWorld(Protocol):
    """Starts a world whose model answers by these rules. `llm`: further settings."""

    async def __call__(self, rules: str = "", **llm: Any) -> World: ...


@pytest.fixture
async def make_world() -> AsyncGenerator[MakeWorld]:
    closing: list[Any] = []
    worlds: list[World] = []

    async def make(rules: str = "", **llm: Any) -> World:
        scripted = ScriptedLlm(parse_rules(rules + SUMMARY_RULE), delays=False)
        await scripted.__aenter__()
        given = {
            "llm_provider": "openai",
            "openai_base_url": scripted.base_url,
            "ollama_base_url": scripted.url,
            "llm_model": "scripted",
        }
        client = Llm(LlmSettings(_env_file=None, **{**given, **llm}))
        closing.extend([scripted, client])
        world = World(scripted, client)
        worlds.append(world)
        await world.agent("agent_1", "defaultAgent")
        return world

    yield make
    for shared in (one for world in worlds for one in world.shared):
        await shared.aclose()
    for one in reversed(closing):
        if isinstance(one, Llm):
            await one.aclose()
        else:
            await one.__aexit__(None, None, None)
            require_untrusted_apart(one.requests)


@pytest.fixture
def calls() -> Calls:
    return Calls()


@pytest.fixture
def new_calls() -> Callable[[], Calls]:
    return Calls


SetBack = Callable[[ModuleType], None]


@pytest.fixture
def set_back(monkeypatch: pytest.MonkeyPatch) -> SetBack:
    """Sets the wall clock of a module back by a day as soon as something waits there."""
    offset = timedelta()

    def now() -> datetime:
        return datetime.now(UTC) + offset

    class Interfering(Waits):
        def __init__(self, longest_s: float) -> None:
            super().__init__(longest_s, now)

        def seconds_left(self, key: Hashable, until: datetime) -> float:
            nonlocal offset
            left = super().seconds_left(key, until)
            if left:
                offset = timedelta(days=-1)
            return left

    def set_back(module: ModuleType) -> None:
        monkeypatch.setattr(module, "utc_now", now)
        monkeypatch.setattr(module, "Waits", Interfering)

    return set_back
