"""What executors say of themselves and of the tools at work; heard by gateways, never stored."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

INTERVAL_S = 2.0
"""Seconds between two such messages of one executor."""
SILENCE_S = 10.0
"""Seconds without one, after which an executor counts as gone."""


class ExecutorAlive(BaseModel):
    """One executor process."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance: str
    capacity: int = Field(ge=0)
    """Runs it takes on at once."""


class ToolProgress(BaseModel):
    """What a tool is at, in one step of one run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["progress", "completed"]
    tool: str
    message: str
    step: str
    """Id of the plan's sub-task, or `<turn>.<position>` of a call that an agent wants made."""
