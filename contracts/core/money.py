"""Money: whole numbers of 10⁻¹² US dollars inside, exact decimal text outside."""

from __future__ import annotations

from decimal import Decimal

PICO = Decimal(10) ** 12


def pico_usd(cost_usd: str | None) -> int | None:
    """Dollars as text to 10⁻¹² dollars; finer parts are rounded half even."""
    return None if cost_usd is None else int((Decimal(cost_usd) * PICO).to_integral_value())


def usd_text(pico: int | None) -> str | None:
    """10⁻¹² dollars to plain decimal text without trailing zeros: `0.00123`, `0`."""
    if pico is None:
        return None
    text = f"{Decimal(pico) / PICO:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
