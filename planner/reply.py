"""The reason of an attempt, and the reply of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from contracts.core.event import Json
from contracts.core.spent import Spent
from contracts.domain.dag import TITLE_ATTEMPT, AttemptMade


class Reason(StrEnum):
    """The reason of an attempt, as clients see it."""

    INITIAL = "initial"
    GAPS = "retry_gaps"
    UNREADABLE = "retry_parse_error"
    INVALID = "retry_validation"
    TITLE = TITLE_ATTEMPT


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of a model, or the error."""

    text: str = ""
    error: str | None = None
    """Why there is no answer after all retries; None: there is an answer."""
    cut_off: bool = False
    """Whether max_tokens or a content filter cut the answer."""
    spent: Spent = field(default_factory=Spent)
    stats: dict[str, Json] | None = None
    """Statistics of the provider, and the failed attempts of the call."""

    def as_attempt(self, number: int, reason: Reason) -> AttemptMade:
        """The event that records the reply, without a verdict."""
        return AttemptMade(
            attempt=number,
            reason=reason,
            error=self.error,
            generation_stats=self.stats,
            **self.spent.as_fields,
        )
