"""The order of ids as people read them."""

from __future__ import annotations

import pytest

from contracts.domain.plan import natural_order


@pytest.mark.parametrize(
    "ids",
    [
        ["1", "2", "10", "11"],
        ["001", "2", "010"],
        ["a2", "a10", "b"],
        ["1.2", "1.10", "2.1"],
        ["7", "alpha", "zeta"],
        ["9" * 5000, "1" + "0" * 5000],
        ["2", "²"],
    ],
)
def test_numbers_in_ids_are_ordered_by_their_value(ids: list[str]) -> None:
    assert natural_order(reversed(ids)) == ids
