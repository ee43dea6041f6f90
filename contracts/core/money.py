"""Amounts of money in US dollars.

Events and the API write an amount as exact decimal text, such as `0.00123`. The views store it as an integer
in units of 10⁻¹² dollars (pico-dollars), so that SQL can add amounts without rounding.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import overload

PICO = Decimal(10) ** 12
"""Pico-dollars in one dollar."""
MOST_DIGITS = 100
"""Maximum digits of an amount before or after the point."""


@overload
def pico_usd(cost_usd: str) -> int: ...
@overload
def pico_usd(cost_usd: None) -> None: ...
def pico_usd(cost_usd: str | None) -> int | None:
    """Convert dollars as text to pico-dollars, rounded half to even. None stays None."""
    if cost_usd is None:
        return None
    return int((Decimal(cost_usd) * PICO).to_integral_value())


def decimal_text(cost_usd: Decimal | str) -> str:
    """Format dollars as exact decimal text without exponent or trailing zeros: `0.0000001`, not `1E-7`.

    Raises:
        ValueError: it is not a finite number, or it has more than MOST_DIGITS digits.
    """
    try:
        cost = Decimal(cost_usd)
    except InvalidOperation:
        raise ValueError(f"{str(cost_usd)[:80]!r} is not an amount of money") from None
    if not is_amount(cost):
        raise ValueError(f"{str(cost_usd)[:80]!r} is not an amount of money")
    text = f"{cost:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def is_amount(value: Decimal) -> bool:
    """Whether the number is finite and can be written out. `1e999999999` would fill the memory."""
    exponent = value.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -MOST_DIGITS and value.adjusted() <= MOST_DIGITS


@overload
def usd_text(pico: int) -> str: ...
@overload
def usd_text(pico: None) -> None: ...
def usd_text(pico: int | None) -> str | None:
    """Convert pico-dollars to dollars as text without trailing zeros: `0.00123`, `0`. None stays None."""
    return None if pico is None else decimal_text(Decimal(pico) / PICO)
