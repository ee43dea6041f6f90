"""One chat with a model: what is asked, what comes back, and how each attempt went."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.core.event import Json
from contracts.core.spent import Spent

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What to ask. None leaves a choice to the settings, or to the provider where they have none."""

    messages: Sequence[Mapping[str, Json]]
    """OpenAI chat form, `{"role": …, "content": text or parts}`; images are `image_url` parts."""
    tools: Sequence[Mapping[str, Json]] = ()
    """OpenAI function-tool form, as `ToolSpec.as_function` gives it."""
    response_schema: Mapping[str, Json] | None = None
    """JSON Schema of the answer. A model that takes no schemas is asked without one: check the answer."""
    temperature: float | None = None
    max_tokens: int | None = None
    seed: int | None = None
    reasoning_effort: str | None = None
    """Sent only when given."""
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call the model wants made."""

    id: str
    name: str
    arguments: Mapping[str, Json]
    """Empty when they could not be read; `error` says why."""
    error: str | None = None
    """What is wrong with the arguments, in words fit to be sent back to the model."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange with a provider."""

    number: int
    """From 1."""
    error: str | None
    """None: this one succeeded."""
    status: int | None
    """HTTP status; None when no answer came."""
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Completion:
    """What the model answered: text, tool calls, or both."""

    content: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    spent: Spent
    """On all attempts of the call; `generation_stats` has the model that answered."""
    generation_stats: dict[str, Json]
    reasoning: str | None
    """The model's reasoning, where it shows any; never a part of `content`."""
    attempts: tuple[Exchange, ...]
    problem: str | None = None
    """There is a tool call that cannot be read, in words fit to be sent back to the model."""

    @property
    def is_cut(self) -> bool:
        """Whether the answer stops where max_tokens or a content filter ended it."""
        return self.finish_reason in ("length", "content_filter")
