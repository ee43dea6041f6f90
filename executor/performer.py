"""Executes one attempt at a step: a tool call, an inference, or the synthesis."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

import structlog

from contracts.core.event import BlobRef, Json
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.agent import AgentVersion, Directory, with_usable_model
from contracts.domain.executors import ToolProgress
from contracts.domain.plan import in_zone
from contracts.domain.plan.placeholders import find, id_key
from contracts.domain.plan.tool_params import tool_params
from contracts.domain.prompts.templates import dates, fill, tool_texts
from contracts.domain.run.outputs import output_of
from contracts.domain.run.steps import SYNTHESIS, Step
from contracts.llm import ChatRequest, Completion, Llm
from contracts.runtime.blobs import Blobs
from contracts.runtime.nats.retry import retry_forever
from executor import metrics
from executor.attempt import Attempt
from executor.prompts import SYNTHESIS_SYSTEM, inference_prompt, instruction_of, synthesis_prompt
from executor.tools.registry import Registry
from executor.tools.tool import CallContext, ProgressKind, Tool

T = TypeVar("T")

logger = structlog.get_logger(__name__)

Tell = Callable[[str, dict[str, Json]], Awaitable[None]]
"""Tells watchers of a run something that is not stored: run id, message."""

SYNTHESIS_TEMPERATURE = 0.5


class Performer:
    """Does what steps say, with the tools, agents and models of this process."""

    def __init__(
        self,
        tools: Registry,
        llm: Llm,
        agents: Directory,
        blobs: Blobs,
        tell: Tell,
        *,
        max_steps: int,
        timeout_s: float,
    ) -> None:
        self.tools = tools
        self.llm = llm
        self.agents = agents
        self.blobs = blobs
        self.tell = tell
        self.timeout_s = timeout_s
        self._slots = asyncio.Semaphore(max_steps)

    def repeatable(self, step: Step) -> bool:
        """Whether a step whose outcome is unknown may run again without asking."""
        return self._effect(step) is not Effect.ONCE

    def is_free(self, step: Step) -> bool:
        """Whether a step changes nothing outside and costs nothing, so that one more time does no harm."""
        return not step.task.is_inference and self._effect(step) is Effect.READ

    def _effect(self, step: Step) -> Effect:
        call = step.task.tool_or_prompt
        if step.task.is_inference or call.name not in self.tools.tools:
            return Effect.READ
        return self.tools.get(call.name).effect_of(call.params)

    async def perform(self, attempt: Attempt) -> run.StepCompleted:
        """The step's result.

        Raises:
            Retry: it may work later.
            Reject: it never will as it is.
        """
        return await self.placed(partial(self._perform, attempt))

    async def placed(self, work: Callable[[], Awaitable[T]]) -> T:
        """What `work` gives, begun when there is a place for it among the steps of this process."""
        async with self._slots:
            with metrics.STEPS_IN_PROGRESS.track_inprogress():
                return await work()

    async def ask(self, request: ChatRequest) -> Completion:
        """One answer of a model; failing is a matter of the step, which is retried in the sight of all.

        Raises:
            Retry: not within the time of a step, or it may work later.
            Reject: it never will as it is.
        """
        try:
            async with asyncio.timeout(self.timeout_s):
                return await self.llm.complete(request, retries=0)
        except TimeoutError as error:
            raise Retry(f"the model did not answer within {self.timeout_s:g} s") from error

    async def kept(self, result: Json) -> Json:
        """`result` as an event holds it; what has been done does not come to nothing without the store."""
        return await retry_forever(partial(self.blobs.store_if_large, result), what="to store a large result")

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
            result=await self.kept(result),
            output=output,
            duration_ms=round((time.perf_counter() - begun) * 1000),
            **(completion.spent.as_fields if completion else {}),
            agent_id=agent.id if agent else None,
            agent_version=agent.state.version_name if agent else None,
            finish_reason=completion.finish_reason if completion else None,
            prompt_sha256=_sha256(agent.state.prompt_template) if agent else None,
            generation_stats=completion.generation_stats if completion else None,
        )

    async def _call_tool(self, attempt: Attempt, tool: Tool[Any]) -> Json:
        task = attempt.step.task
        params = task.tool_or_prompt.params
        results = await self._results(attempt, find(params) | set(attempt.step.needs))

        async def progress(kind: ProgressKind, tool_name: str, message: str) -> None:
            said = ToolProgress(kind=kind, tool=tool_name, message=message, step=task.id)
            await self.tell(attempt.run_id, said.model_dump())

        call = CallContext(attempt.idempotency_key, progress, self.timeout_s)
        return await tool.invoke(tool_params(tool.spec, params, attempt.step.needs, results), call)

    async def _infer(self, attempt: Attempt) -> tuple[AgentVersion, Completion]:
        task = attempt.step.task
        agent = self.agents.active(task.tool_or_prompt.name)
        if agent is None:
            raise Reject(
                f"No agent found with name: {task.tool_or_prompt.name}. Create and activate one, then resume"
            )
        needs = attempt.step.needs
        results = await self._results(attempt, find(instruction_of(task)) | set(needs))
        now = in_zone(datetime.now(UTC), attempt.timezone)
        asked, remark = with_usable_model(agent.state, self.llm.problem)
        if remark:
            logger.warning(remark, run=attempt.run_id, step=task.id)
        completion = await self._ask(
            system=f"Task: {fill(asked.prompt_template, {**tool_texts(self.tools.specs), **dates(now)})}",
            user=inference_prompt(attempt.job, task, needs, results),
            provider=asked.provider,
            model=asked.model,
        )
        return agent, completion

    async def _synthesise(self, attempt: Attempt) -> Completion:
        results = await self._results(attempt, set(attempt.step.needs))
        in_order = {need: results[need] for need in attempt.step.needs}
        user = synthesis_prompt(attempt.job, in_order)
        return await self._ask(system=SYNTHESIS_SYSTEM, user=user, temperature=SYNTHESIS_TEMPERATURE)

    async def _ask(
        self,
        *,
        system: str,
        user: str,
        provider: str | None = None,
        model: str | None = None,
        temperature: float | None = None,
    ) -> Completion:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        request = ChatRequest(messages=messages, provider=provider, model=model, temperature=temperature)
        return await self.ask(request)

    async def _results(self, attempt: Attempt, wanted: set[str]) -> Mapping[str, Json]:
        """Results of the steps in `wanted` that have completed, large ones fetched."""
        keys = {id_key(id_) for id_ in wanted}
        return {
            id_: await self._value(result)
            for id_, result in attempt.state.done.items()
            if id_key(id_) in keys
        }

    async def _value(self, result: Json) -> Json:
        ref = BlobRef.of(result)
        return await self.blobs.get_json(ref) if ref else result


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
