"""given / when / then for the decisions of aggregates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from hypothesis import settings

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event

settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

Decide = Callable[..., Sequence[Event]]


class Given:
    """An aggregate with a history."""

    def __init__(self, aggregate: Aggregate[Any], history: Sequence[Event]) -> None:
        self.aggregate = aggregate
        self.state = aggregate.fold(history)

    def when(self, decide: Decide, *args: Any, **options: Any) -> When:
        """Somebody decides."""
        return When(self, decide, args, options)


class When:
    """A decision about to be made."""

    def __init__(self, given: Given, decide: Decide, args: tuple[Any, ...], options: dict[str, Any]) -> None:
        self.given = given
        self._decide = partial(_listed, decide, args, options)

    def then(self, *expected: Event) -> None:
        """Exactly `expected`."""
        assert self._decide(self.given.state) == list(expected)

    def then_once(self, *expected: Event) -> None:
        """Exactly `expected`, and deciding again after they have landed yields nothing."""
        self.then(*expected)
        landed = self.given.aggregate.fold(expected, self.given.state)
        assert self._decide(landed) == []

    def then_nothing(self) -> None:
        """No event."""
        self.then()

    def then_raises(self, error: type[Exception], match: str = "") -> None:
        """The rules forbid it."""
        with pytest.raises(error, match=match or None):
            self._decide(self.given.state)


def _listed(decide: Decide, args: tuple[Any, ...], options: dict[str, Any], state: Any) -> list[Event]:
    return list(decide(state, *args, **options))


@pytest.fixture
def given() -> Callable[..., Given]:
    """`given(RUN, *events).when(decide, *args).then(*events)`."""
    return lambda aggregate, *history: Given(aggregate, history)
