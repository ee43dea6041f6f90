"""Agents over HTTP."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from contracts.api.fields import Body, NotBlank, Omissible, Query, Row, Timestamp
from contracts.core.event import Json


class AgentCreate(Body):
    """A new version of an agent."""

    name: NotBlank
    version: NotBlank
    prompt_template: NotBlank
    provider: Omissible[str] = None
    model: Omissible[str] = None
    metadata: dict[str, Json] = Field(default_factory=dict)


class AgentPatch(Body):
    """Changes to an agent. Omitted keys stay unchanged."""

    name: Omissible[NotBlank] = None
    version: Omissible[NotBlank] = None
    prompt_template: Omissible[NotBlank] = None
    provider: Omissible[str] = None
    model: Omissible[str] = None
    metadata: Omissible[dict[str, Json]] = None


class AgentQuery(Query):
    """Which agents to list."""

    name: str | None = None
    active: (
        Annotated[bool, BeforeValidator(lambda text: text == "true"), WithJsonSchema({"type": "string"})]
        | None
    ) = None
    """`true` returns only active agents. Any other text returns only inactive agents."""


class AgentRow(Row):
    """One version of an agent."""

    id: str
    name: str
    version: str
    prompt_template: str
    provider: str | None
    model: str | None
    active: bool
    metadata: dict[str, Json]
    created_at: Timestamp
    updated_at: Timestamp
