"""How a goal is to be pursued."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.core.event import Json


class Params(BaseModel):
    """How a goal is to be pursued; what is not given is left to the settings."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True)

    strategy: Literal["agent", "dag"] | None = None
    """By an agent's turns (the default), or by a plan that is made and executed."""
    step_budget: int | None = None
    """Turns at most."""
    allowed_tools: tuple[str, ...] | None = None
    """Empty or not given: all."""
    constraints: dict[str, Json] | None = None
    temperature: float | None = None
    max_tokens: int | None = None

    def as_json(self) -> dict[str, Json]:
        """As clients give and see it: only what was given, in camelCase."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
