"""Goal runs of one executor: what it does for them beyond what it does for every run."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from datetime import datetime

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import RunPolicy
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, Stream
from executor.attempt import Attempt
from executor.goal.after_run import AfterRun
from executor.goal.limits import Limits
from executor.goal.performer import GoalPerformer
from executor.goal.run_slots import RunSlots
from executor.goal.setup import Setup
from executor.performer import Performer


class Goals:
    """Few at a time, each with what it is run with fixed at its start, and with what follows from its end."""

    def __init__(
        self, source: Log, performer: Performer, policy: RunPolicy, limits: Limits | None = None
    ) -> None:
        limits = limits or Limits()
        self._policy = policy
        self._performer = GoalPerformer(performer, limits)
        self._setup = Setup(source, performer, self._performer.toolbox, limits)
        self._after_run = AfterRun(source, performer, policy)
        self._slots = RunSlots(limits.concurrent)

    async def start(self, state: run.State, executor: str, now: datetime) -> list[Event]:
        """What takes a pending run; nothing for any other."""
        if state.loop is None or state.status is not run.Status.PENDING:
            return []
        return run.start_goal(
            state, await self._setup.prepare(state.loop.request, executor, now), self._policy
        )

    async def perform(self, attempt: Attempt) -> run.Achieved:
        """One attempt of a step; raises Retry or Reject when it fails."""
        return await self._performer.perform(attempt)

    async def settle(self, stream: Stream[run.State]) -> None:
        """What follows from the end of a run; raises Retry when some of it has to wait."""
        await self._after_run.settle(stream)

    async def without_plan(self, recorded: Recorded, origin: Origin) -> None:
        """What follows when there is no plan for a run; raises Retry when some of it has to wait."""
        await self._after_run.without_plan(recorded, origin)

    def place(self) -> AbstractAsyncContextManager[None]:
        """A place among the runs in progress, as soon as there is one."""
        return self._slots.one()

    def drain(self) -> None:
        """Let no more runs in."""
        self._slots.close()
