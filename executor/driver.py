"""Drives one run: starts what may start, waits for outcomes, commits them, until it has ended or is not ours.

Nothing here is remembered that the log does not hold: the driver of another process, given the same commits,
goes on from the same place.

A step that changes nothing outside and costs nothing begins while the commit that starts it is still on its
way, and what came of it goes with the next commit: if the first is lost with this process, the step simply
runs again. Everything else waits until its start, and every result that it builds on, are in the log.

While the log does not answer, what was decided is kept and steps in progress go on, for as long as this
process lives: stopping them would leave the outcome of some unknown.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from contracts.core.event import Event
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import Erred, Outcome, Succeeded
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Conflict, TooLarge, Unavailable
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Stream
from executor import metrics
from executor.attempt import Attempt
from executor.hold import Hold
from executor.pending_commits import PendingCommits
from executor.run_log import log_event
from executor.stopwatch import ms_since
from executor.workload import Workload

Key = tuple[str, int]
"""An attempt: its step and its number."""

MAX_AHEAD = 64
"""Decisions that the log does not have, with which steps still begin before their start is in it."""

log = structlog.get_logger()


class Driver:
    """One run in the hands of this executor."""

    def __init__(
        self,
        stream: Stream[run.State],
        executor: str,
        workload: Workload,
        lease: Lease,
    ) -> None:
        self.executor = executor
        self._run = PendingCommits(stream)
        self._workload = workload
        self._hold = Hold(stream, lease, self.look_again)
        self._policy = workload.policy
        self._begun: list[Key] = []
        """Attempts decided to start, whose code has not been started."""
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._outcomes: list[Outcome] = []
        self._wake = asyncio.Event()
        self._look_again = False
        self._saving = False
        self.released = asyncio.Event()
        """Set when this executor has let go of the run."""

    @property
    def ours(self) -> bool:
        """Whether the run is running and this executor holds it, as far as the log tells."""
        return self._holds(self._run.saved)

    def _holds(self, state: run.State) -> bool:
        return state.status is run.Status.RUNNING and state.executor == self.executor

    async def drive(self, claim: Sequence[Event]) -> None:
        """Claim the run and go on until it has ended, has been called off, went away, or is drained."""
        try:
            self._decide(claim)
            await self._save_all()
            if self.ours and isinstance(claim[0], run.TakenOver):
                metrics.TAKEOVERS.inc()
                log.info("run taken over", run=self._run.id)
            while self.ours:
                self._launch()
                if not self._tasks and not self._outcomes and self._draining:
                    return
                await self._something_happened()
                if self._look_again:
                    self._look_again = False
                    await self._refresh()
                self._settle()
                await self._save_all()
        finally:
            await self._stop(list(self._tasks))

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

    def _decide(self, events: Sequence[Event], outcome: Outcome | None = None) -> None:
        if events:
            self._run.decide(events, outcome)
        for event in events:
            if isinstance(event, run.StepsStarted):
                self._begun += [(step, self._run.state.attempts[step]) for step in event.steps]

    def _launch(self) -> None:
        """Start the code of attempts that may: their start is in the log, or need not be yet."""
        state, waiting = self._run.state, []
        for step, number in self._begun:
            if state.running.get(step) != number:
                continue  # it ran ahead of a start that had to be decided again, and has ended since
            if self._run.saved.running.get(step) == number or self._may_run_ahead(step):
                attempt = Attempt(self._run.id, state, state.graph.steps[step], number, self._hold.confirm)
                self._tasks[step, number] = asyncio.create_task(self._attempt(attempt))
            else:
                waiting.append((step, number))
        self._begun = waiting

    def _may_run_ahead(self, step: str) -> bool:
        """Whether an attempt that the log knows nothing of does no harm: it changes and costs nothing."""
        one = self._run.state.graph.steps[step]
        is_free = not one.task.is_inference and self._policy.effect_of(one) is Effect.READ
        return is_free and self._run.unsaved <= MAX_AHEAD

    async def _attempt(self, attempt: Attempt) -> None:
        begun = time.perf_counter()
        outcome: Outcome
        try:
            outcome = Succeeded(await self._workload.perform(attempt))
        except Retry as error:
            outcome = self._erred(
                attempt, str(error), begun, retry_after=error.after, retryable=True, spent=error.spent
            )
        except Unavailable as error:
            outcome = self._erred(attempt, str(error), begun, retryable=True)
        except Reject as error:
            outcome = self._erred(attempt, str(error), begun, spent=error.spent)
        except asyncio.CancelledError:
            if _is_being_cancelled():
                raise
            outcome = self._erred(attempt, "the step was cancelled, and not by us", begun)
        except Exception as error:
            log.exception(
                "step raised", run=attempt.run_id, step=attempt.step.task.id, attempt=attempt.number
            )
            outcome = self._erred(attempt, f"{type(error).__name__}: {error}", begun)
        metrics.STEP_SECONDS.labels(
            attempt.step.task.tool_or_prompt.name, type(outcome).__name__.lower()
        ).observe(time.perf_counter() - begun)
        self._ended(outcome)

    def _ended(self, outcome: Outcome) -> None:
        """Take in what came of a step: at once while a commit is on its way, else with what comes now."""
        self._outcomes.append(outcome)
        if self._saving:
            self._settle()
            self._launch()
        else:
            self._wake.set()

    @staticmethod
    def _erred(
        attempt: Attempt,
        error: str,
        begun: float,
        *,
        retry_after: float | None = None,
        retryable: bool = False,
        spent: Spent | None = None,
    ) -> Erred:
        return Erred(
            step=attempt.step.task.id,
            attempt=attempt.number,
            error=error,
            duration_ms=ms_since(begun),
            retryable=retryable,
            retry_after=retry_after,
            jitter=random.random(),
            spent=spent,
        )

    async def _something_happened(self) -> None:
        due = run.next_retry(self._run.state, self._policy)
        timer = None
        if due:
            delay = max(0.0, (due - datetime.now(UTC)).total_seconds())
            timer = asyncio.get_running_loop().call_later(delay, self._wake.set)
        await self._wake.wait()
        self._wake.clear()
        if timer:
            timer.cancel()

    def _settle(self) -> None:
        """Decide what follows from the outcomes at hand; they count for nothing once the run is not ours."""
        outcomes, self._outcomes = self._outcomes, []
        for outcome in outcomes:
            self._tasks.pop(_key_of(outcome), None)
            self._decide(self._settled(outcome), outcome)
        if not outcomes:
            self._decide(self._settled())

    def _settled(self, *outcomes: Outcome) -> list[Event]:
        state = self._run.state
        return run.settle(state, outcomes, datetime.now(UTC), self._policy) if self._holds(state) else []

    async def _save_all(self) -> None:
        """Append what was decided; after a conflict decide again about the same outcomes.

        Not `Stream.decide`, because decisions build on one another before the first is in the log, and
        because an outcome must survive the decision that it led to: the step has run.
        """
        while self._run.unsaved:
            self._launch()
            try:
                await self._save()
            except Conflict:
                await self._reconsider(self._run.forget())
            except TooLarge:
                if self._run.oldest is None:
                    raise
                await self._reconsider(_with_error(self._run.forget()))

    async def _save(self) -> None:
        begun = time.perf_counter()
        self._saving = True
        try:
            saved = await retry_forever(self._run.save, what=f"to save what was decided about {self._run.id}")
        finally:
            self._saving = False
        metrics.APPEND_SECONDS.observe(time.perf_counter() - begun)
        for event in saved:
            log_event(self._run.stream, event)

    async def _refresh(self) -> None:
        await retry_forever(self._run.refresh, what=f"to read what became of {self._run.id}")

    async def _reconsider(self, outcomes: Sequence[Outcome]) -> None:
        """Decide anew from what the log has; attempts that have not been started by that are stopped."""
        await self._refresh()
        self._outcomes = [*outcomes, *self._outcomes]
        running = self._run.saved.running.items() if self.ours else ()
        await self._stop([key for key in self._tasks if key not in running])
        ended = {_key_of(outcome) for outcome in self._outcomes}
        self._begun = [key for key in running if key not in self._tasks and key not in ended]
        self._settle()

    async def _stop(self, attempts: Sequence[Key]) -> None:
        tasks = [self._tasks.pop(key) for key in attempts]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)


def _is_being_cancelled() -> bool:
    """Whether somebody wants this task to end; a library may raise the same with nobody wanting it."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _key_of(outcome: Outcome) -> Key:
    ended = outcome.completed if isinstance(outcome, Succeeded) else outcome
    return ended.step, ended.attempt


def _with_error(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """The same outcomes, but for the first, which no commit can hold."""
    first, *others = outcomes
    completed = first.completed if isinstance(first, Succeeded) else first
    error = Erred(
        step=completed.step,
        attempt=completed.attempt,
        error="what the step returned is too large for one event; let it return less, or write it to a file",
        duration_ms=completed.duration_ms,
        retryable=False,
    )
    return [error, *others]
