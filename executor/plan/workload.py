"""The workload of runs of a plan."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from contracts.core.event import Event, Json
from contracts.core.outcome import Reject
from contracts.domain import run
from contracts.domain.agent import AgentVersion
from contracts.domain.model import Model, NoModel, resolve_model
from contracts.domain.plan import in_zone
from contracts.domain.plan.placeholders import find
from contracts.domain.plan.tool_params import tool_params
from contracts.domain.prompts.templates import dates, fill, tool_texts
from contracts.domain.run import RunPolicy
from contracts.domain.run.outputs import output_of
from contracts.domain.run.steps import SYNTHESIS
from contracts.llm import ChatRequest, Completion
from executor.attempt import Attempt
from executor.plan.prompts import SYNTHESIS_SYSTEM, inference_prompt, instruction_of, synthesis_prompt
from executor.policy.rules import DEFAULT_RULES, Rules
from executor.resources import Resources
from executor.stopwatch import ms_since
from executor.tools.tool import Tool
from executor.workload import knowing_tools

logger = structlog.get_logger(__name__)

SYNTHESIS_TEMPERATURE = 0.5


class PlanWorkload:
    """Runs of a plan. The number of concurrent runs is not limited."""

    max_runs: int | None = None
    """See Workload."""

    def __init__(self, resources: Resources, policy: RunPolicy, rules: Rules = DEFAULT_RULES) -> None:
        self.tools = resources.tools
        self._resources = resources
        self.policy = knowing_tools(policy, resources.tools, rules)

    async def claim(self, state: run.State, executor: str, now: datetime) -> Sequence[Event]:
        """The start of a pending run; see Workload."""
        return run.start(state, executor, now, self.policy, llm=self._resources.llm.problem() is None)

    async def perform(self, attempt: Attempt) -> run.CompletionEvent:
        """The result of a step; see Workload."""
        return await self._resources.in_slot(partial(self._perform, attempt))

    async def _perform(self, attempt: Attempt) -> run.StepCompleted:
        begun = time.perf_counter()
        task = attempt.step.task
        completion: Completion | None = None
        agent: AgentVersion | None = None
        output: run.Output | None = None
        result: Json
        if task.id == SYNTHESIS:
            completion = await self._synthesise(attempt)
            result = completion.content
        elif task.is_inference:
            agent, completion = await self._infer(attempt)
            result = completion.content
        else:
            tool = self.tools.get(task.tool_or_prompt.name)
            result = await self._call_tool(attempt, tool)
            output = output_of(tool.spec.output, result)
        return run.StepCompleted(
            step=task.id,
            attempt=attempt.number,
            result=await self._resources.stored(result),
            output=output,
            duration_ms=ms_since(begun),
            **(completion.spent.as_fields if completion else {}),
            agent_id=agent.id if agent else None,
            agent_version=agent.state.version_name if agent else None,
            prompt_sha256=_sha256(agent.state.prompt_template) if agent else None,
            generation_stats=completion.generation_stats if completion else None,
            finish_reason=completion.finish_reason if completion else None,
        )

    async def _call_tool(self, attempt: Attempt, tool: Tool[Any]) -> Json:
        task = attempt.step.task
        params = task.tool_or_prompt.params
        results = await self._results(attempt, find(params) | set(attempt.step.needs))
        given = tool_params(tool.spec, params, attempt.step.needs, results)
        return await self._resources.call(tool, given, attempt)

    async def _infer(self, attempt: Attempt) -> tuple[AgentVersion, Completion]:
        task = attempt.step.task
        agent = self._resources.agents.active(task.tool_or_prompt.name)
        if agent is None:
            raise Reject(
                f"No agent found with name: {task.tool_or_prompt.name}. Create and activate one, then resume"
            )
        needs = attempt.step.needs
        results = await self._results(attempt, find(instruction_of(task)) | set(needs))
        now = in_zone(datetime.now(UTC), attempt.timezone)
        own = [spec for spec in self.tools.specs if not spec.third_party]
        values = {**tool_texts(own), **dates(now)}
        asked = self._model_of_run(attempt) or resolve_model(agent.state, self._resources.llm.problem)
        if isinstance(asked, NoModel):
            raise Reject(asked.reason)
        if asked.remark:
            logger.warning(asked.remark, run=attempt.run_id, step=task.id)
        completion = await self._ask(
            attempt,
            system=f"Task: {fill(agent.state.prompt_template, values)}",
            user=inference_prompt(attempt.job, task, needs, results),
            provider=asked.provider,
            model=asked.model,
        )
        return agent, completion

    async def _synthesise(self, attempt: Attempt) -> Completion:
        results = await self._results(attempt, set(attempt.step.needs))
        in_order = {need: results[need] for need in attempt.step.needs}
        user = synthesis_prompt(attempt.job, in_order)
        asked = self._model_of_run(attempt) or Model(None, None)
        return await self._ask(
            attempt,
            system=SYNTHESIS_SYSTEM,
            user=user,
            provider=asked.provider,
            model=asked.model,
            temperature=SYNTHESIS_TEMPERATURE,
        )

    def _model_of_run(self, attempt: Attempt) -> Model | None:
        """The model that the request for the run names, or None.

        Raises:
            Reject: it cannot be called.
        """
        request = attempt.state.request
        if request is None or not (request.provider or request.model):
            return None
        if problem := self._resources.llm.problem(request.provider, request.model):
            raise Reject(problem)
        return Model(request.provider, request.model)

    async def _ask(
        self,
        attempt: Attempt,
        *,
        system: str,
        user: str,
        provider: str | None = None,
        model: str | None = None,
        temperature: float | None = None,
    ) -> Completion:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        request = ChatRequest(messages=messages, provider=provider, model=model, temperature=temperature)
        return await self._resources.ask(request, attempt)

    async def _results(self, attempt: Attempt, wanted: set[str]) -> Mapping[str, Json]:
        """The results of the completed steps in `wanted`, with large results fetched."""
        state = attempt.state
        ids = {state.graph.id_of(written) for written in wanted}
        return {id_: await self._resources.value(state.done[id_]) for id_ in ids if id_ in state.done}


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
