"""The limits of shared budgets: US dollars per UTC day and per UTC month."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.money import pico_usd
from contracts.domain.budget import Usd

Period = Literal["day", "month"]
PERIODS: tuple[Period, ...] = ("month", "day")
"""The longer period first: who waits for a day when the month is used up waits in vain."""


class PeriodBudget(BaseModel):
    """US dollars for models. What is null is not limited."""

    model_config = ConfigDict(frozen=True, extra="ignore", use_attribute_docstrings=True)

    usd_per_day: Usd | None = Field(default=None, exclude_if=lambda limit: limit is None)
    """US dollars per day, in UTC."""
    usd_per_month: Usd | None = Field(default=None, exclude_if=lambda limit: limit is None)
    """US dollars per calendar month, in UTC."""

    @property
    def is_set(self) -> bool:
        """Whether anything is limited."""
        return self.usd_per_day is not None or self.usd_per_month is not None

    def pico_usd(self, period: Period) -> int | None:
        """One limit in pico-dollars; None: not limited."""
        return pico_usd(self.usd_per_day if period == "day" else self.usd_per_month)


UNLIMITED = PeriodBudget()
"""The budget without limits."""


class Limit(NamedTuple):
    """One limit of one call."""

    key: str | None
    """Name of the key that it limits; None: it limits the whole system."""
    period: Period
    pico_usd: int


@dataclass(frozen=True, slots=True)
class Limits:
    """All limits that hold for one call."""

    key_name: str | None = None
    """Name of the key that pays; None: no key does."""
    system: PeriodBudget = UNLIMITED
    key: PeriodBudget = UNLIMITED

    @property
    def are_set(self) -> bool:
        """Whether anything is limited."""
        return self.system.is_set or self.key.is_set

    def __iter__(self) -> Iterator[Limit]:
        for name, budget in ((None, self.system), (self.key_name, self.key)):
            for period in PERIODS:
                if (allowed := budget.pico_usd(period)) is not None:
                    yield Limit(name, period, allowed)
