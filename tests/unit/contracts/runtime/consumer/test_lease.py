"""Until when a process has what it was given."""

from __future__ import annotations

import pytest

from contracts.core.outcome import LeaseLost
from contracts.runtime.consumer.lease import Lease


def test_a_lease_lasts_from_the_last_keep_alive_that_was_received() -> None:
    now = [0.0]
    lease = Lease(15, lambda: now[0])
    now[0] = 10
    lease.renew(asked_at=8)
    now[0] = 22
    assert lease.holds(1)
    now[0] = 23
    assert not lease.holds(1)


def test_a_lease_held_before_an_interruption_is_not_held_after_it() -> None:
    """Whatever the server hears now: it has given the messages to others."""
    now = [0.0]
    lease = Lease(15, lambda: now[0])
    now[0] = 20
    lease.renew(asked_at=20)
    assert lease.is_held
    assert lease.term == 2
    with pytest.raises(LeaseLost):
        lease.require(1)
    lease.require(2)
