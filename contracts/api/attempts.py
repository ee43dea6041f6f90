"""Attempts at a step over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.costs import TokenUsage
from contracts.api.executions import Inherited
from contracts.api.fields import Query, Row, Timestamp, Usd
from contracts.api.numbers import COERCED
from contracts.api.paging import FURTHEST
from contracts.core.event import Json
from contracts.domain.outward import Ruling

AttemptOutcome = Literal["running", "completed", "failed", "asked", "lost", "stopped"]
"""How an attempt ended:

- `failed`: with an error; `retryAt` says when the next attempt was due, null: the step failed finally.
- `asked`: it asked a person; the next attempt has the answer.
- `lost`: its executor stopped responding.
- `stopped`: the run was suspended or ended meanwhile.
"""


class StepAttempt(Row):
    """One attempt at a step."""

    number: int
    """From 1, across all resumes of the run."""
    executor: str | None
    started_at: Timestamp
    ended_at: Timestamp | None = None
    outcome: AttemptOutcome = "running"
    error: str | None = None
    retry_at: Timestamp | None = None
    waited_ms: int | None = None
    """Milliseconds between the end of the attempt before and this start; null: it is the first."""
    duration_ms: int | None = None
    """Milliseconds that the tool or model took, as the executor measured them."""
    usage: TokenUsage | None = None
    cost_usd: Usd | None = None
    provider: str | None = None
    model: str | None = None
    untrusted: bool = False
    """Whether its result comes from outside, or is made of something from outside."""
    outward: Ruling | None = None
    """The decision about a call that sends something to others; null: it sends nothing."""
    has_prompt: bool = False
    """Whether the prompt that was sent to a model can be read."""


class PromptQuery(Query):
    """Which prompt of a step to get."""

    attempt: Annotated[int, Field(ge=1, le=FURTHEST), COERCED] | None = None
    """Number of the attempt. Default: the last attempt that asked a model."""


class StepPrompt(Row):
    """What an attempt at a step sent to a model, with secrets redacted."""

    step: str
    attempt: int
    model: str
    messages: list[dict[str, Json]]
    """OpenAI chat format. A conversation that was too long for the model is shown as it was cut."""
    tools: list[dict[str, Json]]
    """The tools that the model could call."""
    parameters: dict[str, Json]
    """The other parameters of the request, such as `temperature` and `max_tokens`."""


class StepAttempts(Row):
    """All attempts at a step, oldest first. A step that has not started, or is inherited, has none."""

    step: str
    inherited: Inherited | None
    attempts: list[StepAttempt]
