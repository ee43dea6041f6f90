"""What the planner reads from its environment."""

from __future__ import annotations

from pydantic import Field

from contracts.runtime.process.settings import Settings


class PlannerSettings(Settings):
    """Limits of one planner process; the LLM has settings of its own."""

    max_concurrent_plans: int = Field(default=8, ge=1)
    """Goals that one process plans at a time; the others wait in the log."""
