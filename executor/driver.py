"""Drives one run: starts what may start, waits for outcomes, commits them, until it has ended or is not ours.

Nothing here is remembered that the log does not hold: the driver of another process, given the same commits,
goes on from the same place.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from contracts import run
from contracts.event import Event
from contracts.outcome import Reject, Retry
from contracts.run import Erred, Outcome, Policy, Succeeded
from contracts.runtime.log import Conflict, TooLarge
from contracts.runtime.stream import Stream
from executor import metrics
from executor.attempt import Attempt

Perform = Callable[[Attempt], Awaitable[run.Achieved]]
"""Executes one attempt of a step; raises Retry or Reject when it fails."""

MAX_OUTCOMES = 256
"""Outcomes in one commit."""

log = structlog.get_logger()


class Driver:
    """One run in the hands of this executor."""

    def __init__(self, stream: Stream[run.State], executor: str, perform: Perform, policy: Policy) -> None:
        self.stream = stream
        self.executor = executor
        self._perform = perform
        self._policy = policy
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._outcomes: list[Outcome] = []
        self._wake = asyncio.Event()
        self._look_again = False
        self.released = asyncio.Event()
        """Set when this executor has let go of the run."""

    @property
    def ours(self) -> bool:
        """Whether the run is running and this executor holds it."""
        state = self.stream.state
        return state.status is run.Status.RUNNING and state.executor == self.executor

    async def drive(self) -> None:
        """Until the run has ended, was suspended or cancelled, went to another executor, or drained."""
        try:
            while self.ours:
                self._launch()
                if not self._tasks and not self._outcomes and self._draining:
                    return
                await self._something_happened()
                await self._settle()
        finally:
            await self._stop_steps()

    def look_again(self) -> None:
        """Somebody else changed the run: read what, and stop if it is over."""
        self._look_again = True
        self._wake.set()

    def drain(self) -> None:
        """Finish the steps in progress but start no more."""
        self._policy = replace(self._policy, parallel=0)
        self._wake.set()

    @property
    def _draining(self) -> bool:
        return self._policy.parallel == 0

    def _launch(self) -> None:
        state = self.stream.state
        for step, number in state.running.items():
            if step not in self._tasks:
                attempt = Attempt(self.stream.id, state, state.graph.steps[step], number)
                self._tasks[step] = asyncio.create_task(self._attempt(attempt))

    async def _attempt(self, attempt: Attempt) -> None:
        begun = time.perf_counter()
        step, number = attempt.step.task.id, attempt.number
        outcome: Outcome
        try:
            outcome = Succeeded(await self._perform(attempt))
        except Retry as error:
            outcome = self._erred(attempt, str(error), begun, retry_after=error.after, retryable=True)
        except Reject as error:
            outcome = self._erred(attempt, str(error), begun)
        except Exception as error:
            log.exception("step raised", run=attempt.run_id, step=step, attempt=number)
            outcome = self._erred(attempt, f"{type(error).__name__}: {error}", begun)
        metrics.STEP_SECONDS.labels(
            attempt.step.task.tool_or_prompt.name, type(outcome).__name__.lower()
        ).observe(time.perf_counter() - begun)
        self._outcomes.append(outcome)
        self._wake.set()

    @staticmethod
    def _erred(
        attempt: Attempt,
        error: str,
        begun: float,
        *,
        retry_after: float | None = None,
        retryable: bool = False,
    ) -> Erred:
        return Erred(
            step=attempt.step.task.id,
            attempt=attempt.number,
            error=error,
            duration_ms=round((time.perf_counter() - begun) * 1000),
            retryable=retryable,
            retry_after=retry_after,
            jitter=random.random(),
        )

    async def _something_happened(self) -> None:
        due = run.next_retry(self.stream.state)
        timer = None
        if due and not self._draining:
            delay = max(0.0, (due - datetime.now(UTC)).total_seconds())
            timer = asyncio.get_running_loop().call_later(delay, self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        if timer:
            timer.cancel()

    async def _settle(self) -> None:
        if self._look_again:
            self._look_again = False
            await self.stream.refresh()
        while self.ours:
            outcomes, self._outcomes = self._outcomes[:MAX_OUTCOMES], self._outcomes[MAX_OUTCOMES:]
            await self._commit(outcomes)
            for outcome in outcomes:
                self._tasks.pop(_step_of(outcome), None)
            if not self._outcomes:
                return

    async def _commit(self, outcomes: list[Outcome]) -> None:
        """Append what follows from the outcomes; what others did meanwhile is taken into account."""
        while self.ours:
            events = run.settle(self.stream.state, outcomes, datetime.now(UTC), self._policy)
            if not events:
                return
            try:
                await self._append(events)
            except Conflict:
                await self.stream.refresh()
            except TooLarge:
                if len(outcomes) == 1:
                    outcomes = [_too_large(outcomes[0])]
                    continue
                middle = len(outcomes) // 2
                await self._commit(outcomes[:middle])
                outcomes = outcomes[middle:]
            else:
                return

    async def _append(self, events: list[Event]) -> None:
        begun = time.perf_counter()
        await self.stream.append(events)
        metrics.APPEND_SECONDS.observe(time.perf_counter() - begun)

    async def _stop_steps(self) -> None:
        for task in self._tasks.values():
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._tasks.clear()


def _step_of(outcome: Outcome) -> str:
    return outcome.completed.step if isinstance(outcome, Succeeded) else outcome.step


def _too_large(outcome: Outcome) -> Outcome:
    return Erred(
        step=_step_of(outcome),
        attempt=outcome.completed.attempt if isinstance(outcome, Succeeded) else outcome.attempt,
        error="what the step returned is too large for one event; let it return less, or write it to a file",
        duration_ms=outcome.completed.duration_ms if isinstance(outcome, Succeeded) else outcome.duration_ms,
        retryable=False,
    )
