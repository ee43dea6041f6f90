"""Tokens and cost of LLM calls, as events store them."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from contracts.core.event import Event, Usage
from contracts.core.money import decimal_text


def _as_text(cost: Any) -> Any:
    """Convert `1E-7` in older events to `0.0000001`."""
    return decimal_text(cost) if isinstance(cost, str | Decimal) else cost


UsdText = Annotated[str, BeforeValidator(_as_text)]
"""US dollars as exact decimal text without an exponent."""


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
    without_bill: int = Field(default=0, exclude=True)
    """Number of calls for which the provider may charge, although it has sent no bill. Not stored."""

    @property
    def as_fields(self) -> dict[str, Any]:
        """The values as keyword arguments of a `Charged` event."""
        return {
            "usage": self.usage,
            "cost_usd": self.cost_usd,
            "provider": self.provider,
            "model": self.model,
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

    @property
    def spent(self) -> Spent:
        """The four fields as one value."""
        return Spent(usage=self.usage, cost_usd=self.cost_usd, provider=self.provider, model=self.model)


class Estimate(NamedTuple):
    """The most that a call of a model may cost."""

    tokens: int
    pico_usd: int | None
    """Pico-dollars; None: the price of the model is not known."""
    model: str = ""
    is_free: bool = False
    """Whether the provider charges nothing, so that no limit in dollars applies."""
