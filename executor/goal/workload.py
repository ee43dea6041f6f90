"""The workload of runs of a goal by an agent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import RunPolicy
from contracts.runtime.log import Log
from executor.attempt import Attempt
from executor.goal.limits import Limits
from executor.goal.performer import GoalPerformer
from executor.goal.remember import REMEMBER
from executor.goal.setup import Setup
from executor.policy.rules import DEFAULT_RULES, Rules
from executor.resources import Resources
from executor.workload import knowing_tools


class AgentWorkload:
    """Runs of a goal by an agent, with the tools of the process and `remember`."""

    def __init__(
        self, log: Log, resources: Resources, policy: RunPolicy, limits: Limits, rules: Rules = DEFAULT_RULES
    ) -> None:
        self.max_runs: int | None = limits.concurrent
        tools = resources.tools.including(REMEMBER)
        self.policy = knowing_tools(policy, tools, rules)
        self._performer = GoalPerformer(resources, tools, limits)
        self._setup = Setup(log, resources, tools, limits)

    async def claim(self, state: run.State, executor: str, now: datetime) -> Sequence[Event]:
        """The start of a pending run, or its failure; see Workload."""
        if state.loop is None or state.status is not run.Status.PENDING:
            return []
        prepared = await self._setup.prepare(state.loop, executor, now)
        return run.start_goal(state, prepared, self.policy)

    async def perform(self, attempt: Attempt) -> run.CompletionEvent:
        """The result of a step; see Workload."""
        return await self._performer.perform(attempt)
