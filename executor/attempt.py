"""One attempt at one step: what a performer is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.run.steps import Step


@dataclass(frozen=True, slots=True)
class Attempt:
    """A step to execute now, in a run as it stood when the step was started."""

    run_id: str
    state: run.State
    step: Step
    number: int
    """From 1."""
    still_ours: Callable[[], Awaitable[None]]
    """Returns when this process has the run for certain. Called right before what must not be done twice."""

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt at this step of this run."""
        return f"{self.run_id}/{self.step.task.id}"

    @property
    def timezone(self) -> str:
        """Whose date is meant where the date is asked for."""
        return (self.state.request and self.state.request.timezone) or "UTC"

    @property
    def job(self) -> Job:
        """The plan."""
        if self.state.request is None:
            raise ValueError("a run without a request has no steps")
        return self.state.request.job
