"""What calls of a model have cost, as events record it."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from contracts.core.event import Event, Usage
from contracts.core.money import decimal_text


def _as_text(cost: Any) -> Any:
    """Older events may hold `1E-7`; it reads as `0.0000001`."""
    return decimal_text(cost) if isinstance(cost, str | Decimal) else cost


UsdText = Annotated[str, BeforeValidator(_as_text)]
"""US dollars as exact, plain decimal text: never in scientific notation."""


class Spent(BaseModel):
    """What one or more calls of a model have cost, whether their answers were usable or not."""

    model_config = ConfigDict(frozen=True, extra="ignore", defer_build=True)

    usage: Usage | None = None
    """Tokens; None: the provider does not count them."""
    cost_usd: UsdText | None = None
    """What the provider charged, else the listed price; None: neither is known."""
    provider: str | None = None
    model: str | None = None
    """The model asked for, which may stand for a more exact one."""

    @property
    def as_fields(self) -> dict[str, Any]:
        """The fields that a `Charged` event takes."""
        return {
            "usage": self.usage,
            "cost_usd": self.cost_usd,
            "provider": self.provider,
            "model": self.model,
        }


class Charged(Event):
    """The base of events that record what calls of a model have cost."""

    usage: Usage | None = None
    """Tokens used, including those of unusable answers."""
    cost_usd: UsdText | None = None
    """US dollars, exact decimal text."""
    provider: str | None = None
    """None, as for the model: no model was asked, or the event is older than this field."""
    model: str | None = None

    @property
    def spent(self) -> Spent:
        """The same as one value."""
        return Spent(usage=self.usage, cost_usd=self.cost_usd, provider=self.provider, model=self.model)
