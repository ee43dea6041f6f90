"""Drives one run: starts steps, waits for outcomes and commits them, until the run ends or is lost.

All state is in the log: the driver of another process can continue from the same commits.

A step without side effects and cost starts before the commit of its start is acknowledged. If the process
dies first, the step runs again. All other steps wait until their start, and the results they use, are in the
log.

While the log is unavailable, decisions are kept in memory and steps in progress continue: stopping them would
leave some outcomes unknown.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Sequence
from dataclasses import replace

import structlog

from contracts.core.event import Event
from contracts.core.outcome import Reject, Retry
from contracts.core.tool import Effect
from contracts.domain import run
from contracts.domain.run import RUN, Outcome, Settled, Success
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Conflict, TooLarge, Unavailable
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Stream
from executor import metrics
from executor.ask_webhooks import request_webhooks
from executor.asking import Asking
from executor.attempt import Attempt, is_being_cancelled
from executor.outcomes import Key, key_of, with_error, with_prompt
from executor.ownership import Ownership
from executor.pending_commits import PendingCommits
from executor.run_budget import OverBudget, RunBudget
from executor.run_log import log_event
from executor.waits import Waits, utc_now
from executor.workload import Workload

MAX_AHEAD = 64
"""Maximum number of unsaved decisions with which steps may start before their start is in the log."""

ANSWERS_S = 1.0
"""Seconds between reads of the run while it waits for a person and other steps run."""

log = structlog.get_logger()


class Driver:
    """Drives one run of this executor."""

    def __init__(
        self,
        stream: Stream[run.State],
        executor: str,
        workload: Workload,
        lease: Lease,
        payer: str | None = None,
    ) -> None:
        """`payer`: the actor who pays for the models."""
        self.executor = executor
        self._run = PendingCommits(stream)
        self._workload = workload
        self._payer = payer
        self._ownership = Ownership(stream, lease, self.request_refresh)
        self._policy = workload.policy
        self._waits = Waits(self._policy.longest_s)
        self._budget = RunBudget(lambda: self._run.state)
        self._begun: list[Key] = []
        """Attempts that are decided to start but not started."""
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._outcomes: list[Outcome] = []
        self._wake = asyncio.Event()
        self._bug: BaseException | None = None
        """Raised by an attempt that has no outcome."""
        self._refresh_requested = False
        self._saving = False
        self.released = asyncio.Event()
        """Set when this executor has released the run."""

    @property
    def is_owner(self) -> bool:
        """Whether the run is running on this executor, according to the log."""
        return self._owns(self._run.saved)

    def _owns(self, state: run.State) -> bool:
        return state.status is run.Status.RUNNING and state.executor == self.executor

    async def drive(self, claim: Sequence[Event]) -> None:
        """Claim the run and drive it until it ends, is taken over by another executor, or is drained."""
        try:
            self._decide(Settled(list(claim), RUN.fold(claim, self._run.state)))
            await self._save_all()
            if self.is_owner and isinstance(claim[0], run.TakenOver):
                metrics.TAKEOVERS.inc()
                log.info("run taken over", run=self._run.id)
            while self.is_owner:
                self._launch()
                if not self._tasks and not self._outcomes and self._draining:
                    return
                await self._wait_for_work()
                if self._bug:
                    raise self._bug
                if self._refresh_requested or self._run.saved.asks.open:
                    self._refresh_requested = False
                    await self._refresh()
                self._settle()
                await self._save_all()
        finally:
            await self._stop(list(self._tasks))

    def request_refresh(self) -> None:
        """Read changes of the run by others, and stop if it has ended."""
        self._refresh_requested = True
        self._wake.set()

    def drain(self) -> None:
        """Finish the steps in progress and start no more."""
        self._policy = replace(self._policy, parallel=0)
        self._wake.set()

    @property
    def _draining(self) -> bool:
        return self._policy.parallel == 0

    def _decide(self, settled: Settled, outcome: Outcome | None = None) -> None:
        if settled.events:
            self._run.decide(settled.events, settled.state, outcome)
        for event in settled.events:
            if isinstance(event, run.StepsStarted):
                self._begun += [(step, self._run.state.attempts[step]) for step in event.steps]

    def _launch(self) -> None:
        """Start the attempts whose start is in the log or need not be."""
        if not self._begun:
            return
        state, waiting = self._run.state, []
        for step, number in self._begun:
            if state.running.get(step) != number:
                continue  # it ran before its start was saved, the start was decided again, and it has ended
            if self._run.saved.running.get(step) == number or self._may_start_early(step):
                one = state.graph.steps[step]
                attempt = Attempt(
                    self._run.id, state, one, number, self._ownership.confirm, self._budget, self._payer
                )
                task = self._tasks[step, number] = asyncio.create_task(self._attempt(attempt))
                task.add_done_callback(self._require_outcome)
            else:
                waiting.append((step, number))
        self._begun = waiting

    def _may_start_early(self, step: str) -> bool:
        """Whether a step may start before its start is in the log: it has no side effects and no cost."""
        state = self._run.state
        is_free = not state.graph.steps[step].task.is_inference and state.effects.get(step) is Effect.READ
        return is_free and self._run.unsaved <= MAX_AHEAD

    async def _attempt(self, attempt: Attempt) -> None:
        begun = time.perf_counter()
        try:
            outcome = with_prompt(await self._outcome(attempt, begun), await attempt.prompt.reference())
        finally:
            attempt.prompt.close()
        metrics.STEP_SECONDS.labels(
            attempt.step.task.tool_or_prompt.name, type(outcome).__name__.lower()
        ).observe(time.perf_counter() - begun)
        self._ended(outcome)

    async def _outcome(self, attempt: Attempt, begun: float) -> Outcome:
        outcome: Outcome
        try:
            outcome = Success(await self._workload.perform(attempt))
        except Asking as asking:
            outcome = Success(asking.asked)
        except OverBudget as over:
            outcome = Success(over.reached)
        except Retry as error:
            outcome = attempt.failure(
                str(error), begun, retry_after=error.after, retryable=True, spent=error.spent
            )
        except Unavailable as error:
            outcome = attempt.failure(str(error), begun, retryable=True)
        except Reject as error:
            outcome = attempt.failure(str(error), begun, spent=error.spent)
        except asyncio.CancelledError:
            if is_being_cancelled():
                raise
            outcome = attempt.failure("the step was cancelled by the tool or a library", begun)
        except Exception as error:
            log.exception(
                "step raised", run=attempt.run_id, step=attempt.step.task.id, attempt=attempt.number
            )
            outcome = attempt.failure(f"{type(error).__name__}: {error}", begun)
        return outcome

    def _require_outcome(self, task: asyncio.Task[None]) -> None:
        """Let `drive` raise what an attempt has raised: without an outcome, the run would wait for ever."""
        if not task.cancelled() and (bug := task.exception()):
            self._bug = bug
            self._wake.set()

    def _ended(self, outcome: Outcome) -> None:
        """Take in the outcome of a step: at once during a save, else in the main loop."""
        self._outcomes.append(outcome)
        if self._saving:
            self._settle()
            self._launch()
        else:
            self._wake.set()

    async def _wait_for_work(self) -> None:
        due_in = self._due_in()
        if due_in is None:
            await self._wake.wait()
        else:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(due_in):
                    await self._wake.wait()
        self._wake.clear()

    def _due_in(self) -> float | None:
        """Seconds until a step is retried or the answers of persons are read; None if nothing is due."""
        retries = run.retries(self._run.state, self._policy)
        due = [self._waits.seconds_left(step, at) for step, at in retries.items()]
        if self._run.state.asks.open:
            due.append(ANSWERS_S)
        return min(due, default=None)

    def _settle(self) -> None:
        """Decide what follows from the new outcomes. They are ignored if the run is not ours."""
        outcomes, self._outcomes = self._outcomes, []
        for outcome in outcomes:
            self._tasks.pop(key_of(outcome), None)
            self._decide(self._settled(outcome), outcome)
        if not outcomes:
            self._decide(self._settled())

    def _settled(self, *outcomes: Outcome) -> Settled:
        state = self._run.state
        if not self._owns(state):
            return Settled([], state)
        overdue = [step for step, at in state.retrying.items() if not self._waits.seconds_left(step, at)]
        return run.settle(state, outcomes, utc_now(), self._policy, overdue=overdue)

    async def _save_all(self) -> None:
        """Append the decisions. After a conflict, decide again about the same outcomes.

        `Stream.decide` is not used, because decisions follow one another before the first is saved, and
        because an outcome must be kept when its decision is discarded: the step has run.
        """
        while self._run.unsaved:
            self._launch()
            try:
                await self._save()
            except Conflict:
                await self._decide_again(self._run.forget())
            except TooLarge:
                if self._run.oldest is None:
                    raise
                await self._decide_again(with_error(self._run.forget()))

    async def _save(self) -> None:
        begun = time.perf_counter()
        self._saving = True
        try:
            saved = await retry_forever(self._run.save, what=f"to save the events of {self._run.id}")
        finally:
            self._saving = False
        metrics.APPEND_SECONDS.observe(time.perf_counter() - begun)
        asked = []
        for event in saved:
            log_event(self._run.stream, event)
            if isinstance(event, run.Asked):
                asked.append(event)
        if asked:
            await request_webhooks(self._run.stream, asked)

    async def _refresh(self) -> None:
        await retry_forever(self._run.refresh, what=f"to read {self._run.id}")

    async def _decide_again(self, outcomes: Sequence[Outcome]) -> None:
        """Decide again from the state in the log. Attempts that are not running there are stopped."""
        await self._refresh()
        self._outcomes = [*outcomes, *self._outcomes]
        running = self._run.saved.running.items() if self.is_owner else ()
        await self._stop([key for key in self._tasks if key not in running])
        ended = {key_of(outcome) for outcome in self._outcomes}
        self._begun = [key for key in running if key not in self._tasks and key not in ended]
        self._settle()

    async def _stop(self, attempts: Sequence[Key]) -> None:
        tasks = [self._tasks.pop(key) for key in attempts]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.gather(*tasks, return_exceptions=True)
