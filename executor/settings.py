"""What the executor reads from its environment."""

from __future__ import annotations

from pydantic import Field

from contracts.domain.run import RunPolicy
from contracts.domain.run_requests import GoalSettings
from contracts.runtime.process.settings import Settings


class ExecutorSettings(Settings, GoalSettings):
    """Limits and retries."""

    executor_max_runs: int = Field(default=4000, ge=1)
    """Runs this process holds a lease on at once."""
    executor_max_steps: int = Field(default=4000, ge=1)
    """Steps this process executes at once, over all its runs."""
    run_max_parallel: int = Field(default=1000, ge=1)
    """Steps of one run in progress at once."""
    step_retries: int = Field(default=2, ge=0)
    step_backoff_s: float = Field(default=1.0, ge=0)
    """Before the first retry of a step; doubled for each further one, with jitter."""
    step_timeout_s: float = Field(default=600.0, gt=0)
    """An attempt that takes longer has failed; tools have shorter limits of their own."""
    agent_context_chars: int = Field(default=200_000, ge=4000)
    """Characters of the conversation that a goal run's model is shown, its newest turns first; four or so are
    a token, so set it to suit a model with a small context."""
    lease_s: float = Field(default=15.0, gt=0)
    """A run whose executor is silent for this long is given to another."""

    @property
    def policy(self) -> RunPolicy:
        """How steps are limited and retried."""
        return RunPolicy(
            parallel=self.run_max_parallel, retries=self.step_retries, backoff_s=self.step_backoff_s
        )
