"""The kinds of work that a run can be: the executor drives them all in the same way."""

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
from executor.tools.registry import Registry


class Workload(Protocol):
    """One kind of work: how a run of it is started, and how its steps are executed."""

    policy: RunPolicy
    """Limits and retries of the steps of one run, and what is known of their effects."""

    @property
    def max_runs(self) -> int | None:
        """Runs of this kind that one process has in progress at once; None: any number."""
        ...

    async def claim(self, state: run.State, executor: str, now: datetime) -> Sequence[Event]:
        """The start of a pending run; nothing for a run that is not pending."""
        ...

    async def perform(self, attempt: Attempt) -> run.Achieved:
        """The result of one attempt at a step.

        Raises:
            Retry: it may work later.
            Reject: it never will as it is.
        """
        ...


Workloads = Mapping[run.Kind, Workload]


def knowing_effects(policy: RunPolicy, tools: Registry) -> RunPolicy:
    """`policy`, for steps that call `tools`."""

    def effect_of(step: Step) -> Effect:
        call = step.task.tool_or_prompt
        return tools.effect_of(call.name, call.params)

    return replace(policy, effect_of=effect_of)
