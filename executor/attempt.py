"""One attempt at one step."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from contracts.core.spent import Spent
from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.run import Failure
from contracts.domain.run.steps import Step
from executor.run_budget import RunBudget
from executor.sent_prompt import SentPrompt
from executor.stopwatch import ms_since


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step to execute, with the state of the run when the step started."""

    run_id: str
    state: run.State
    step: Step
    number: int
    """Number of the attempt, from 1."""
    require_ownership: Callable[[], Awaitable[None]]
    """Returns once this process certainly owns the run. Call it before work that must not be repeated."""
    budget: RunBudget
    """The budget of the run, for calls of models."""
    payer: str | None = None
    """The actor who pays for the models, see contracts.domain.payer."""
    prompt: SentPrompt = field(default_factory=SentPrompt)
    """What the attempt sends to a model."""

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this step of this run."""
        return f"{self.run_id}/{self.step.task.id}"

    @property
    def timezone(self) -> str:
        """IANA time zone of the dates that the step asks for."""
        return (self.state.request and self.state.request.timezone) or "UTC"

    @property
    def job(self) -> Job:
        """The plan of the run."""
        if self.state.request is None:
            raise ValueError("a run without a request has no steps")
        return self.state.request.job

    def failure(
        self,
        error: str,
        begun: float,
        *,
        retry_after: float | None = None,
        retryable: bool = False,
        spent: Spent | None = None,
    ) -> Failure:
        """The failure of the attempt, which began when `time.perf_counter()` was `begun`."""
        return Failure(
            step=self.step.task.id,
            attempt=self.number,
            error=error,
            duration_ms=ms_since(begun),
            retryable=retryable,
            retry_after=retry_after,
            jitter=random.random(),
            spent=spent,
        )


def is_being_cancelled() -> bool:
    """Whether this task was really cancelled; libraries may raise CancelledError by themselves."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
