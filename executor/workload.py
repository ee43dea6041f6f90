"""The interface of the kinds of runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from contracts.core.event import Event
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RunPolicy
from contracts.domain.run.steps import Step
from executor.attempt import Attempt
from executor.policy.rules import Rules
from executor.policy.screen import Screen
from executor.tools.registry import Registry


class Workload(Protocol):
    """One kind of runs: starts a run, and executes its steps."""

    policy: RunPolicy
    """Limits and retries of the steps of one run, and the effects of their tools."""

    @property
    def max_runs(self) -> int | None:
        """Maximum number of runs of this kind in progress in one process; None: unlimited."""
        ...

    async def claim(self, state: run.State, executor: str, now: datetime) -> Sequence[Event]:
        """The events that start a pending run; none for a run that is not pending."""
        ...

    async def perform(self, attempt: Attempt) -> run.CompletionEvent:
        """The result of one attempt at a step.

        Raises:
            Asking: a person must approve a tool call, or answer a question.
            OverBudget: the run cannot afford to ask a model.
            Retry: it may work later.
            Reject: it cannot work without a change.
        """
        ...


Workloads = Mapping[run.Kind, Workload]


def knowing_tools(policy: RunPolicy, tools: Registry, rules: Rules) -> RunPolicy:
    """`policy` with the effects of `tools`, and with the rules for calls that send something to others."""

    def effect_of(step: Step) -> Effect:
        call = step.task.tool_or_prompt
        return tools.effect_of(call.name, call.params)

    return replace(policy, effect_of=effect_of, screen=Screen(tools.tools, rules).of)
