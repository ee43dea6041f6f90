"""What a run may spend, and what it has spent. Pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from contracts.core.event import Json, Usage
from contracts.core.money import decimal_text, pico_usd, usd_text
from contracts.core.spent import Charged, Estimate, Spent, Unbilled

Limit = Literal["usd", "tokens", "seconds", "steps"]
LIMITS: tuple[Limit, ...] = ("usd", "tokens", "seconds", "steps")
MOST = 10**12
"""The largest limit."""


def _amount(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError("give US dollars as a number, such as 0.5")
    return decimal_text(str(value))


def _in_range(usd: str) -> str:
    if not 0 <= Decimal(usd) <= MOST:
        raise ValueError(f"give US dollars from 0 to {MOST}")
    return usd


Usd = Annotated[
    str,
    BeforeValidator(_amount),
    AfterValidator(_in_range),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0, "maximum": MOST}, {"type": "string"}]}),
]
"""US dollars, as a number or as decimal text. Stored as exact decimal text."""


class Budget(BaseModel):
    """What a run may spend. What is null is not limited."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    usd: Usd | None = Field(default=None, exclude_if=lambda limit: limit is None)
    """US dollars for models, also for failed attempts, the report, and the plan that was made for the run."""
    tokens: int | None = Field(default=None, ge=0, le=MOST, exclude_if=lambda limit: limit is None)
    """Tokens of models, in the same sense."""
    seconds: float | None = Field(default=None, ge=0, le=MOST, exclude_if=lambda limit: limit is None)
    """Seconds in which the run is running, without the time that it waits for a person or is suspended."""
    steps: int | None = Field(default=None, ge=0, le=MOST, exclude_if=lambda limit: limit is None)
    """Steps that are started: steps of a plan, or turns and tool calls of an agent. Retries and the report do
    not count."""

    def with_limits(self, own: Budget | None) -> Budget:
        """The budget with the limits that `own` sets in place of these; null removes one."""
        given = {name: getattr(own, name) for name in own.model_fields_set} if own else {}
        return self.model_copy(update=given)

    def of(self, limit: Limit) -> Decimal | None:
        """One limit; None: not limited."""
        value = getattr(self, limit)
        return None if value is None else Decimal(str(value))


class Spending(NamedTuple):
    """What models have cost."""

    pico_usd: int = 0
    tokens: int = 0

    @classmethod
    def most(cls, estimate: Estimate) -> Spending:
        """The estimate as spending. An unknown price counts as nothing."""
        return cls(estimate.pico_usd or 0, estimate.tokens)

    def plus(self, charged: Charged | Spent) -> Spending:
        """With the tokens and the cost of one more answer, and what may have been charged besides."""
        if charged.usage is None and charged.cost_usd is None and charged.unbilled is None:
            return self
        unbilled = charged.unbilled or Unbilled()
        tokens = charged.usage.total_tokens if charged.usage else 0
        cost = (pico_usd(charged.cost_usd) or 0) + (pico_usd(unbilled.usd) or 0)
        return Spending(self.pico_usd + cost, self.tokens + tokens + unbilled.tokens)

    def and_(self, other: Spending) -> Spending:
        """The sum."""
        return Spending(self.pico_usd + other.pico_usd, self.tokens + other.tokens)

    def times(self, count: int) -> Spending:
        """The spending of `count` such calls."""
        return Spending(self.pico_usd * count, self.tokens * count)

    @property
    def as_spent(self) -> Spent:
        """The same as events store it."""
        return Spent(usage=Usage(prompt_tokens=self.tokens), cost_usd=usd_text(self.pico_usd))

    @property
    def as_unbilled(self) -> Unbilled:
        """The same as what a call may have cost whose bill has not arrived."""
        return Unbilled(tokens=self.tokens, usd=usd_text(self.pico_usd))

    def of(self, limit: Literal["usd", "tokens"]) -> Decimal:
        """Dollars or tokens."""
        return Decimal(usd_text(self.pico_usd) or 0) if limit == "usd" else Decimal(self.tokens)


NOTHING_SPENT = Spending()
