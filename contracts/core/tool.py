"""What a tool is to those who do not run it: its name, what it takes, and what running it twice means."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict

from contracts.core.event import Json

CATALOGUE_BUCKET = "tools"
"""KV bucket where executors publish their ToolSpecs, key = tool name, value = the spec as JSON."""


class Effect(StrEnum):
    """What a second execution of the same call does, decisive after a crash left the outcome unknown."""

    READ = "read"
    """Changes nothing: run again freely."""
    IDEMPOTENT = "idempotent"
    """A second call with the same idempotency key changes nothing more: run again."""
    ONCE = "once"
    """A second call would do it twice: ask before running again."""


class ToolSpec(BaseModel):
    """One tool as the catalogue shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the input: an object with `properties`, `required`, `additionalProperties: false`."""
    effect: Effect
    order: int = 1000
    """Place in listings."""

    def as_function(self) -> dict[str, Json]:
        """The OpenAI function-tool form, which the API lists and prompts show."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }
