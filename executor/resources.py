"""Resources that all runs of this process share: tools, agents, models, large values and slots."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, TypeVar

from contracts.core.event import BlobRef, Json
from contracts.core.outcome import Ask, Retry
from contracts.core.spent import Spent
from contracts.core.tool import Effect
from contracts.domain.agent import Directory
from contracts.domain.executors import ToolProgress
from contracts.domain.shared_budget import LimitReached
from contracts.llm import ChatRequest, Completion, Llm, MayRetry
from contracts.runtime.blobs import Blobs
from contracts.runtime.nats.retry import retry_forever
from contracts.spending import Pay, Purpose, unlimited
from executor import metrics
from executor.asking import answers, approved, is_answered, question
from executor.attempt import Attempt
from executor.run_budget import over_shared_budget
from executor.tools.registry import Registry
from executor.tools.tool import CallContext, ProgressKind, Tool
from executor.values import Values
from executor.waits import utc_now

T = TypeVar("T")

PublishLive = Callable[[str, dict[str, Json]], Awaitable[None]]
"""Sends a message that is not stored to the watchers of a run. Arguments: run id, message."""


class Resources:
    """Tools, agents, models and blobs of this process, and slots for `max_steps` steps at once."""

    def __init__(  # noqa: PLR0913  every part by its name
        self,
        tools: Registry,
        llm: Llm,
        agents: Directory,
        blobs: Blobs,
        publish_live: PublishLive,
        *,
        max_steps: int,
        timeout_s: float,
        pay: Pay = unlimited,
    ) -> None:
        self.tools = tools
        self.llm = llm
        self.agents = agents
        self._blobs = blobs
        self._values = Values(blobs)
        self._publish_live = publish_live
        self._timeout_s = timeout_s
        self._pay = pay
        self._slots = asyncio.Semaphore(max_steps)

    async def in_slot(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run `work` as soon as a slot is free, and return its result."""
        async with self._slots:
            with metrics.STEPS_IN_PROGRESS.track_inprogress():
                return await work()

    async def ask(self, request: ChatRequest, attempt: Attempt) -> Completion:
        """The answer of a model. The client does not retry; the step does, and each attempt is logged.

        Raises:
            OverBudget: the run, the key that asked for it, or the system cannot afford the call.
            Unavailable: the log, which has the budget that runs share, could not be reached.
            Retry: the model did not answer within the timeout of a step, or it may work later.
            Reject: it cannot work without a change.
        """
        if attempt.budget.limits_models:
            needed = await self.llm.estimate(request)
            attempt.budget.reserve(attempt.step.task.id, attempt.number, needed)
        purpose = Purpose(attempt.idempotency_key, attempt.payer)
        try:
            return await self._pay(request, purpose, partial(self._complete, request, attempt))
        except LimitReached as limit:
            raise over_shared_budget(limit, attempt.step.task.id, attempt.number) from None

    async def _complete(self, request: ChatRequest, attempt: Attempt, _: MayRetry) -> Completion:
        try:
            store = partial(attempt.prompt.store, blobs=self._blobs)
            async with asyncio.timeout(self._timeout_s):
                return await self.llm.complete(request, retries=0, on_send=store)
        except TimeoutError as error:
            lost = Spent()
            if attempt.prompt.is_sent:
                lost = Spent(unbilled=(await self.llm.estimate(request)).as_unbilled)
            raise Retry(f"the model did not answer within {self._timeout_s:g} s", spent=lost) from error

    async def call(self, tool: Tool[Any], params: Mapping[str, Json], attempt: Attempt) -> Json:
        """The result of a tool call. Progress messages are sent to the watchers of the run.

        Raises:
            Asking: a person must approve the call, or answer a question of the tool.
            Retry: it may work later.
            Reject: it cannot work without a change.
        """
        params = approved(tool, params, attempt)

        async def progress(kind: ProgressKind, tool_name: str, message: str) -> None:
            step = attempt.step.task.id
            said = ToolProgress(kind=kind, tool=tool_name, message=message, step=step)
            await self._publish_live(attempt.run_id, said.model_dump())

        if tool.effect_of(params) is Effect.ONCE:
            await attempt.require_ownership()
        context = CallContext(
            attempt.idempotency_key, progress, self._timeout_s, answers(attempt), is_answered(attempt)
        )
        try:
            return await tool.invoke(params, context)
        except Ask as ask:
            raise question(ask, tool, params, attempt, utc_now()) from None

    async def stored(self, result: Json) -> Json:
        """`result` for an event. Large values go to the object store; waits while it is unavailable."""
        return await retry_forever(
            partial(self._blobs.store_if_large, result), what="to store a large result"
        )

    async def value(self, result: Json) -> Json:
        """The value of `result` of an event; a large value is fetched from the object store."""
        ref = BlobRef.of(result)
        return await self._values.get(ref) if ref else result
