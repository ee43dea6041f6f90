"""What aggregates have in common."""

from __future__ import annotations

from contracts.core.aggregate import DomainError


class Closed(DomainError):
    """The shop is closed."""


def test_a_forbidden_decision_says_what_its_kind_says() -> None:
    assert str(Closed()) == "The shop is closed."


def test_a_forbidden_decision_may_say_more() -> None:
    assert str(Closed("closed until Monday")) == "closed until Monday"
