"""Parameters of the runs of a goal."""

from __future__ import annotations

import operator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from contracts.core.event import Json
from contracts.domain.budget import Budget
from contracts.domain.outward import OutwardCalls


class Params(BaseModel):
    """Parameters of the runs of a goal. The settings supply what is null."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True)

    strategy: Literal["agent", "dag"] | None = None
    """`agent` (the default): an agent works in turns. `dag`: a plan is made and executed."""
    step_budget: int | None = None
    """Maximum number of turns."""
    allowed_tools: tuple[str, ...] | None = None
    """Names of the tools that runs may use; empty or null: all tools."""
    constraints: dict[str, Json] | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    outward_calls: OutwardCalls | None = None
    """What happens to tool calls that send something to others."""
    budget: Budget | None = None
    """What a run may spend."""
    approvals: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Names of the tools of which a person must approve each call."""

    def as_json(self) -> dict[str, Json]:
        """The parameters as the API shows them: keys in camelCase, without nulls."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)
