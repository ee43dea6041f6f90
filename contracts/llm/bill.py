"""What a provider counts, and charges, for one answer, whether the answer is of use or not."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from contracts.core.event import Usage

MOST_TOKENS = 10**9
"""Of one answer; who counts more has miscounted, and no sum of ours could hold it."""
MOST_USD = Decimal(10_000)


@dataclass(frozen=True, slots=True)
class Tokens:
    """Tokens by price."""

    prompt: int
    """All of the prompt, cached ones too."""
    cached: int
    completion: int

    @property
    def is_possible(self) -> bool:
        """Whether it can be believed."""
        return all(0 <= count <= MOST_TOKENS for count in (self.prompt, self.cached, self.completion))

    def as_usage(self) -> Usage:
        """As events count them."""
        return Usage(prompt_tokens=self.prompt, completion_tokens=self.completion)


@dataclass(frozen=True, slots=True)
class Bill:
    """What one answer is to be paid for."""

    model: str | None
    """The model that answered, which may be more exact than the one asked for."""
    tokens: Tokens | None
    charged: Decimal | None
    """What the provider says it charged, in US dollars."""
