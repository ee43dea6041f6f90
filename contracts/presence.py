"""What an executor says of itself while it lives; heard by gateways, never stored."""

from __future__ import annotations

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
