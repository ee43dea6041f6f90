"""Attempts at a step over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.costs import TokenUsage
from contracts.api.executions import Inherited
from contracts.api.fields import Row, Timestamp, Usd

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


class StepAttempts(Row):
    """All attempts at a step, oldest first. A step that has not started, or is inherited, has none."""

    step: str
    inherited: Inherited | None
    attempts: list[StepAttempt]
