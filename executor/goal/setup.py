"""Prepares a goal run: agent, model, tools and memories are fixed when the run starts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from contracts.core.commit import all_events
from contracts.domain import agent, run
from contracts.domain.agent import AGENT, DEFAULT_AGENT
from contracts.domain.memory import MEMORY, Memory
from contracts.domain.model import NoModel, resolve_model
from contracts.domain.run import AgentUsed, Failed, GoalRequested, GoalStarted
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, Stream
from executor.goal.limits import Limits
from executor.resources import Resources
from executor.tools.registry import Registry


class Setup:
    """Prepares goal runs."""

    def __init__(self, log: Log, resources: Resources, tools: Registry, limits: Limits) -> None:
        self._log = log
        self._resources = resources
        self._tools = tools
        self._limits = limits

    async def prepare(self, loop: run.Loop, executor: str, now: datetime) -> run.GoalStarted | Failed:
        """The start of the run, or its failure if no agent or model is available.

        A resumed run keeps the memories of its first start, a fork those of its original.
        """
        request = loop.request
        remarks: list[str] = []
        used = await self._agent(request, remarks)
        if used is None:
            return Failed(error=f"There is no agent: create and activate one named {DEFAULT_AGENT}")
        if request.provider or request.model:
            used = used.model_copy(update={"provider": request.provider, "model": request.model})
        asked = resolve_model(used, self._resources.llm.problem)
        if isinstance(asked, NoModel):
            return Failed(error=asked.reason)
        remarks += [asked.remark] if asked.remark else []
        used = used.model_copy(update={"provider": asked.provider, "model": asked.model})
        remarks += self._unknown_tools(request)
        limits = self._limits
        return GoalStarted(
            executor=executor,
            at=now,
            agent=used,
            tools=tuple(self._tools.only(request.allowed_tools or self._tools.default).tools),
            memories=await self._memories(request, executor) if loop.memories is None else loop.memories,
            temperature=limits.temperature if request.temperature is None else request.temperature,
            max_tokens=request.max_tokens or limits.max_tokens,
            remarks=tuple(remarks),
        )

    async def _memories(self, request: GoalRequested, executor: str) -> tuple[Memory, ...]:
        kept = await Stream.newest(self._log, MEMORY, request.goal_id, Origin(executor))
        return kept.state.recalled

    async def _agent(self, request: GoalRequested, remarks: list[str]) -> AgentUsed | None:
        """The version that the goal names, else the active version of the default agent."""
        if request.agent_id:
            history = await self._log.read(AGENT.name, request.agent_id)
            state = AGENT.fold(all_events(one.commit for one in history))
            if state.status not in {agent.Status.ABSENT, agent.Status.DELETED}:
                return _used(request.agent_id, state)
            remarks.append(f"the agent {request.agent_id} does not exist; {DEFAULT_AGENT} is used instead")
        entry = self._resources.agents.active(DEFAULT_AGENT)
        return _used(entry.id, entry.state) if entry else None

    def _unknown_tools(self, request: GoalRequested) -> Iterator[str]:
        for name in request.allowed_tools:
            if name not in self._tools.tools:
                yield f"the tool {name} is allowed but does not exist"
        for name in request.approvals:
            if name not in self._tools.tools:
                yield f"calls of the tool {name} need an approval, but it does not exist"


def _used(id_: str, state: agent.State) -> AgentUsed:
    return AgentUsed(
        id=id_,
        name=state.name,
        version_name=state.version_name,
        prompt_template=state.prompt_template,
        provider=state.provider,
        model=state.model,
    )
