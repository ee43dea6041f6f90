"""Tokens and cost of LLM calls, as events store them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict

from contracts.core.event import Event, Usage
from contracts.core.money import decimal_text, usd_text


def _as_text(cost: Any) -> Any:
    """Convert `1E-7` in older events to `0.0000001`."""
    return decimal_text(cost) if isinstance(cost, str | Decimal) else cost


UsdText = Annotated[str, BeforeValidator(_as_text)]
"""US dollars as exact decimal text without an exponent."""


class Unbilled(BaseModel):
    """The most that calls may have cost whose bill has not arrived, or does not say it.

    The answer was lost, came too late, or does not have the numbers. It counts for budgets only.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    tokens: int = 0
    usd: UsdText | None = None
    """US dollars; None: known from the bill, or the price of the model is not known."""

    def __add__(self, other: Unbilled) -> Unbilled:
        known = [Decimal(usd) for usd in (self.usd, other.usd) if usd is not None]
        usd = decimal_text(sum(known, Decimal(0))) if known else None
        return Unbilled(tokens=self.tokens + other.tokens, usd=usd)


class Spent(BaseModel):
    """Tokens and cost of one or more LLM calls, including calls with unusable answers."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    usage: Usage | None = None
    """Tokens used; None: the provider does not report them."""
    cost_usd: UsdText | None = None
    """The cost that the provider reports, otherwise the cost by the price list; None: neither is known."""
    provider: str | None = None
    model: str | None = None
    """The requested model. The provider may resolve it to a more specific one."""
    unbilled: Unbilled | None = None
    """None: every call has a bill, or costs nothing."""

    @property
    def as_fields(self) -> dict[str, Any]:
        """The values as keyword arguments of a `Charged` event."""
        return {
            "usage": self.usage,
            "cost_usd": self.cost_usd,
            "provider": self.provider,
            "model": self.model,
            "unbilled": self.unbilled,
        }


class Charged(Event):
    """Base class of events that record the cost of LLM calls."""

    usage: Usage | None = None
    """Tokens used, including unusable answers."""
    cost_usd: UsdText | None = None
    """US dollars as exact decimal text; None: unknown."""
    provider: str | None = None
    """None, like `model`, if no model was called or the event is older than this field."""
    model: str | None = None
    unbilled: Unbilled | None = None
    """What calls without a bill may have cost besides. Null: none, or the event is older than this field."""

    @property
    def spent(self) -> Spent:
        """The fields as one value."""
        return Spent(
            usage=self.usage,
            cost_usd=self.cost_usd,
            provider=self.provider,
            model=self.model,
            unbilled=self.unbilled,
        )


class Estimate(NamedTuple):
    """The most that a call of a model may cost."""

    tokens: int
    pico_usd: int | None
    """Pico-dollars; None: the price of the model is not known."""
    model: str = ""
    is_free: bool = False
    """Whether the provider charges nothing, so that no limit in dollars applies."""

    @property
    def as_unbilled(self) -> Unbilled:
        """The estimate as what a call may have cost whose answer was lost."""
        return Unbilled(tokens=self.tokens, usd=usd_text(self.pico_usd))
