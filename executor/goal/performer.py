"""Executes one attempt at a step of a goal run: a turn, a tool call, or the summary."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from contracts.core.outcome import Reject
from contracts.core.tool import ToolSpec
from contracts.domain import run
from contracts.domain.prompts.observations import Observed
from contracts.domain.run import SUMMARY, Loop
from contracts.domain.run.outputs import output_of
from contracts.llm import ChatRequest, Completion
from executor.attempt import Attempt
from executor.goal.calls import read_calls
from executor.goal.conversation import Message, Observations, conversation
from executor.goal.limits import Limits
from executor.goal.prompts import summary_prompt, system_prompt
from executor.resources import Resources
from executor.stopwatch import ms_since
from executor.tools.registry import Registry

SUMMARY_COOLNESS = 0.7
"""Factor of the temperature for the summary. The summary also has half of the tokens."""


class GoalPerformer:
    """Executes the steps of goal runs with the tools and models of this process."""

    def __init__(self, resources: Resources, tools: Registry, limits: Limits) -> None:
        self._resources = resources
        self._tools = tools
        self._limits = limits

    async def perform(self, attempt: Attempt) -> run.CompletionEvent:
        """The result of the step.

        Raises:
            Retry: it may work later.
            Reject: it cannot work without a change.
        """
        loop, step = attempt.state.loop, attempt.step.task.id
        if loop is None or loop.started is None:
            raise Reject("the run is not a started goal run")
        work: Callable[[], Awaitable[run.CompletionEvent]]
        if "." in step:
            work = partial(self._call, attempt, loop)
        elif step == SUMMARY:
            work = partial(self._summarise, attempt, loop, loop.started)
        else:
            work = partial(self._turn, attempt, loop, loop.started)
        return await self._resources.in_slot(work)

    async def _turn(self, attempt: Attempt, loop: Loop, started: run.GoalStarted) -> run.TurnTaken:
        tools = self._tools.only(started.tools)
        observed = await self._observations(loop)
        told = system_prompt(
            loop, started.agent.prompt_template, tools.specs, observed, datetime.now(UTC), self._limits
        )
        messages = conversation(loop, told, observed, self._limits)
        begun = time.perf_counter()
        request = _request(
            started, messages, tools.specs, temperature=started.temperature, max_tokens=started.max_tokens
        )
        completion = await self._resources.ask(request, attempt)
        return run.TurnTaken(
            turn=len(loop.turns) + 1,
            attempt=attempt.number,
            thought=completion.content,
            calls=read_calls(completion, tools.tools, self._tools.tools),
            finish_reason=completion.finish_reason,
            problem=completion.problem,
            **_accounted(completion, begun),
        )

    async def _call(self, attempt: Attempt, loop: Loop) -> run.CallAnswered:
        turn, _, position = attempt.step.task.id.partition(".")
        call = loop.call(attempt.step.task.id)
        begun = time.perf_counter()
        tool = self._tools.get(call.name)
        result = await self._resources.call(tool, call.arguments, attempt)
        return run.CallAnswered(
            turn=int(turn),
            position=int(position),
            attempt=attempt.number,
            result=await self._resources.stored(result),
            output=output_of(tool.spec.output, result),
            duration_ms=ms_since(begun),
        )

    async def _summarise(self, attempt: Attempt, loop: Loop, started: run.GoalStarted) -> run.Summarised:
        prompt = summary_prompt(loop, await self._observations(loop), self._limits)
        begun = time.perf_counter()
        request = _request(
            started,
            [{"role": "user", "content": prompt}],
            (),
            temperature=started.temperature * SUMMARY_COOLNESS,
            max_tokens=max(1, started.max_tokens // 2),
        )
        completion = await self._resources.ask(request, attempt)
        return run.Summarised(
            attempt=attempt.number,
            summary=completion.content,
            finish_reason=completion.finish_reason,
            **_accounted(completion, begun),
        )

    async def _observations(self, loop: Loop) -> Observations:
        """The results of all tool calls so far, with large results fetched."""
        pairs = [(turn, position, answer) for turn in loop.turns for position, answer in turn.answers.items()]
        values = await asyncio.gather(*(self._resources.value(answer.result) for _, _, answer in pairs))
        observed = {}
        for (turn, position, answer), value in zip(pairs, values, strict=True):
            call = turn.taken.calls[position]
            observed[turn.number, position] = Observed(
                turn.number, position, call.name, call.arguments, value, answer.error
            )
        return dict(sorted(observed.items()))


def _request(
    started: run.GoalStarted,
    messages: Sequence[Message],
    tools: Sequence[ToolSpec],
    *,
    temperature: float,
    max_tokens: int,
) -> ChatRequest:
    return ChatRequest(
        messages=messages,
        tools=[tool.as_function() for tool in tools],
        temperature=temperature,
        max_tokens=max_tokens,
        provider=started.agent.provider,
        model=started.agent.model,
    )


def _accounted(completion: Completion, begun: float) -> dict[str, Any]:
    """Duration, usage and cost of an answer, as event fields."""
    return {
        "duration_ms": ms_since(begun),
        **completion.spent.as_fields,
        "generation_stats": completion.generation_stats,
    }
