"""Settings of the planner."""

from __future__ import annotations

from pydantic import Field

from contracts.runtime.process.settings import Settings
from contracts.spending import SharedBudgetSettings


class PlannerSettings(Settings, SharedBudgetSettings):
    """Limits of one planner process. The LLM has separate settings."""

    max_concurrent_plans: int = Field(default=8, ge=1)
    """Maximum number of plans in progress in one process; further requests wait in the log."""
