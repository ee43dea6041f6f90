"""Single tasks over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.costs import TokenUsage
from contracts.api.fields import Body, NonEmpty, NotBlank, Omissible, Row
from contracts.api.numbers import INTEGRAL, MOST_TOKENS

ReasoningEffort = Literal["low", "medium", "high"]


class TaskParams(Body):
    """Options for the model."""

    max_tokens: Annotated[
        Omissible[Annotated[int, Field(gt=0, le=MOST_TOKENS), INTEGRAL]], Field(alias="max_tokens")
    ] = None
    temperature: Omissible[Annotated[float, Field(ge=0, le=2)]] = None
    reasoning_effort: Annotated[Omissible[ReasoningEffort], Field(alias="reasoning_effort")] = None


class TaskForm(Body):
    """A task for an agent. Every form part with a file name is a file."""

    task_name: NonEmpty
    """Name of an active agent."""
    prompt: NotBlank
    params: Omissible[str] = Field(
        default=None,
        json_schema_extra={
            "contentMediaType": "application/json",
            "contentSchema": TaskParams.model_json_schema(),
        },
    )
    """Options for the model, as JSON."""
    files: list[bytes] = Field(
        default_factory=list,
        json_schema_extra={"items": {"type": "string", "contentMediaType": "application/octet-stream"}},
    )
    """UTF-8 text, or images (png, jpeg, webp, gif) if the model accepts images."""


class InputFile(Row):
    """An accepted file."""

    filename: str
    mime_type: str


class TaskUsed(Row):
    """The options that were used."""

    provider: str
    model: str
    max_tokens: Annotated[int, Field(alias="max_tokens")]
    temperature: float
    reasoning_effort: Annotated[str, Field(alias="reasoning_effort")]
    """Not sent if the model does not support it."""


class TaskResult(Row):
    """The answer of the agent."""

    task_name: str
    agent_name: str
    agent_version: str
    input_files: list[InputFile]
    response: str
    finish_reason: Literal["stop", "tool_calls", "length", "content_filter"]
    usage: TokenUsage | None
    cost_usd: str | None
    """US dollars as exact decimal text."""
    params: TaskUsed
