"""Amounts of money are exact, and never too long to be written out."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.core.money import decimal_text, pico_usd, usd_text

PICO = st.integers(0, 10**27)
"""Up to a thousand times the largest limit."""


@given(PICO)
def test_pico_dollars_survive_being_written_as_text(pico: int) -> None:
    assert pico_usd(usd_text(pico)) == pico


@given(st.lists(PICO, max_size=50))
def test_many_amounts_add_up_without_rounding(amounts: list[int]) -> None:
    assert sum(pico_usd(usd_text(one)) for one in amounts) == sum(amounts)


@pytest.mark.parametrize("cost", ["1e999999999", "1e-999999999", "NaN", "Infinity", "-Infinity", "one", ""])
def test_what_cannot_be_an_amount_is_refused_at_once(cost: str) -> None:
    with pytest.raises(ValueError, match="is not an amount of money"):
        decimal_text(cost)


def test_less_than_half_a_pico_dollar_is_nothing() -> None:
    assert pico_usd(decimal_text(Decimal("0.0000000000004"))) == 0
