"""Amounts of money: integers of 10⁻¹² US dollars in the views, exact decimal text in events and the API."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

PICO = Decimal(10) ** 12


def pico_usd(cost_usd: str | None) -> int | None:
    """Convert dollars as text to units of 10⁻¹² dollars. Smaller fractions are rounded half to even."""
    return None if cost_usd is None else int((Decimal(cost_usd) * PICO).to_integral_value())


def decimal_text(cost_usd: Decimal | str) -> str:
    """Format dollars as exact decimal text without exponent or trailing zeros: `0.0000001`, not `1E-7`.

    Raises:
        ValueError: it is not a finite number.
    """
    try:
        cost = Decimal(cost_usd)
    except InvalidOperation:
        raise ValueError(f"{cost_usd!r} is not an amount of money") from None
    if not cost.is_finite():
        raise ValueError(f"{cost_usd!r} is not an amount of money")
    text = f"{cost:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def usd_text(pico: int | None) -> str | None:
    """Format units of 10⁻¹² dollars as decimal text without trailing zeros: `0.00123`, `0`."""
    return None if pico is None else decimal_text(Decimal(pico) / PICO)
