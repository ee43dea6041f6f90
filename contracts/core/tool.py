"""A tool as its callers know it: name, input, what it leaves outside, and what running it twice does."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

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


class Fill(StrEnum):
    """How the results of a step's dependencies become the value of a parameter that the plan leaves out."""

    URLS = "urls"
    """A list of the URLs in the results."""
    TEXT = "text"
    """The results as readable text, one after the other."""


class OutputSpec(BaseModel):
    """What a successful call leaves outside the run, so that runs can list it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["file", "webhook", "email"]
    fields: tuple[str, ...] = Field(min_length=1)
    """Fields of the result that describe it. One field: its text. Several: a JSON object of those present."""


class ToolSpec(BaseModel):
    """One tool as the catalogue shows it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    description: str
    parameters: dict[str, Any]
    """JSON Schema of the input: an object with `properties`, `required`, `additionalProperties: false`."""
    effect: Effect
    output: OutputSpec | None = None
    """What a call leaves outside the run; None: nothing to list."""
    filled_from_results: Mapping[str, Fill] = Field(default_factory=dict)
    """Parameters that a plan may leave out: the results of the step's dependencies fill them."""
    order: int = 1000
    """Place in listings."""

    def as_function(self) -> dict[str, Json]:
        """The OpenAI function-tool form, which the API lists and prompts show."""
        return {
            "type": "function",
            "function": {"name": self.name, "description": self.description, "parameters": self.parameters},
        }
