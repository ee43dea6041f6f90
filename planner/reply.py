"""The reason why a model is asked, and its reply."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from contracts.core.event import Json
from contracts.core.spent import Spent
from contracts.domain.dag import TITLE_ATTEMPT, AttemptMade


class Reason(StrEnum):
    """Why a model is asked, as clients know it."""

    INITIAL = "initial"
    GAPS = "retry_gaps"
    UNREADABLE = "retry_parse_error"
    INVALID = "retry_validation"
    TITLE = TITLE_ATTEMPT


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer, or why there is none."""

    text: str = ""
    error: str | None = None
    """Why there is no answer, after every retry of the call."""
    cut_off: bool = False
    """The answer was cut by max_tokens or a content filter."""
    spent: Spent = field(default_factory=Spent)
    stats: dict[str, Json] | None = None
    """What the provider tells about the call, and which tries of it failed."""

    def as_attempt(self, number: int, reason: Reason) -> AttemptMade:
        """The event that records the reply, before it is judged."""
        return AttemptMade(
            attempt=number,
            reason=reason,
            error=self.error,
            generation_stats=self.stats,
            **self.spent.as_fields,
        )
