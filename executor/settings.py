"""Settings of the executor."""

from __future__ import annotations

from pydantic import Field, HttpUrl

from contracts.domain.run import RunPolicy
from contracts.domain.run_requests import GoalSettings
from contracts.runtime.process.settings import Settings
from contracts.spending import SharedBudgetSettings


class ExecutorSettings(Settings, GoalSettings, SharedBudgetSettings):
    """Limits and retries of the executor."""

    executor_max_runs: int = Field(default=4000, ge=1)
    """Maximum number of runs in progress in one process."""
    executor_max_steps: int = Field(default=4000, ge=1)
    """Maximum number of steps in progress in one process, over all runs."""
    run_max_parallel: int = Field(default=1000, ge=1)
    """Maximum number of steps in progress in one run."""
    step_retries: int = Field(default=2, ge=0)
    step_backoff_s: float = Field(default=1.0, ge=0)
    """Seconds before the first retry of a step; doubled for each further retry, with jitter."""
    step_timeout_s: float = Field(default=600.0, gt=0)
    """Maximum seconds of one attempt at a step. Tools have shorter timeouts of their own."""
    agent_context_chars: int = Field(default=200_000, ge=4000)
    """Maximum characters of the conversation of a goal run; the newest turns are kept. A token has about four
    characters. Lower it for a model with a small context."""
    public_url: HttpUrl | None = None
    """Address of the API as people and receivers of webhooks reach it, such as https://agent.example.org."""
    lease_s: float = Field(default=15.0, gt=0)
    """Seconds after which another executor takes over a run whose executor does not respond."""

    @property
    def policy(self) -> RunPolicy:
        """Limits and retries of steps."""
        return RunPolicy(
            parallel=self.run_max_parallel, retries=self.step_retries, backoff_s=self.step_backoff_s
        )
