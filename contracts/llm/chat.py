"""A chat with a model: the request, the answer, and the attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from contracts.core.event import Json
from contracts.core.spent import Spent

FinishReason = Literal["stop", "tool_calls", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """A request to a model. None: the value of the settings, or the default of the provider."""

    messages: Sequence[Mapping[str, Json]]
    """OpenAI chat format, `{"role": …, "content": text or parts}`; images are `image_url` parts."""
    tools: Sequence[Mapping[str, Json]] = ()
    """OpenAI function format, as `ToolSpec.as_function` returns it."""
    response_schema: Mapping[str, Json] | None = None
    """JSON Schema of the answer. It is not sent to a model that refuses schemas, so validate the answer."""
    temperature: float | None = None
    max_tokens: int | None = None
    more_tokens: int = 1
    """Factor of `max_tokens`, for a question whose answer was cut off before."""
    seed: int | None = None
    reasoning_effort: str | None = None
    """None: not sent."""
    provider: str | None = None
    model: str | None = None


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool call that the model asks for."""

    id: str
    name: str
    arguments: Mapping[str, Json]
    """Empty if they are unreadable; `error` says why."""
    error: str | None = None
    """The error about unreadable arguments, written for the model."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One HTTP exchange with a provider."""

    number: int
    """Number of the attempt, from 1."""
    error: str | None
    """None: the attempt succeeded."""
    status: int | None
    """HTTP status; None: no answer arrived."""
    duration_ms: int


@dataclass(frozen=True, slots=True)
class Completion:
    """The answer of a model: text, tool calls, or both."""

    content: str
    tool_calls: tuple[ToolCall, ...]
    finish_reason: FinishReason
    spent: Spent
    """Usage and cost of all attempts. `generation_stats` has the model that answered."""
    generation_stats: dict[str, Json]
    """Facts about the answer. `latency`: milliseconds of the last attempt; `queued_ms`: milliseconds that the
    call waited for other calls of this process, because of LLM_MAX_CONCURRENCY."""
    reasoning: str | None
    """The model's reasoning, if it is sent; never part of `content`."""
    attempts: tuple[Exchange, ...]
    problem: str | None = None
    """The error about an unreadable tool call, written for the model."""

    @property
    def is_cut(self) -> bool:
        """Whether max_tokens or a content filter cut the answer short."""
        return self.finish_reason in ("length", "content_filter")
