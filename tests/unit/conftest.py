"""given / when / then for the decisions of aggregates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.domain.run import Settled

Decide = Callable[..., "Sequence[Event] | Settled"]


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
        self._decide, self._args, self._options = decide, args, options

    def then(self, *expected: Event) -> None:
        """Exactly `expected`."""
        assert self._listed(self.given.state) == list(expected)

    def then_once(self, *expected: Event) -> None:
        """Exactly `expected`, and deciding again after they have landed yields nothing."""
        self.then(*expected)
        landed = self.given.aggregate.fold(expected, self.given.state)
        assert self._listed(landed) == []

    def then_nothing(self) -> None:
        """No event."""
        self.then()

    def then_raises(self, error: type[Exception], match: str = "") -> None:
        """The rules forbid it."""
        with pytest.raises(error, match=match or None):
            self._listed(self.given.state)

    def _listed(self, state: Any) -> list[Event]:
        decided = self._decide(state, *self._args, **self._options)
        if isinstance(decided, Settled):
            assert decided.state == self.given.aggregate.fold(decided.events, state)
            return decided.events
        return list(decided)


@pytest.fixture
def given() -> Callable[..., Given]:
    """`given(RUN, *events).when(decide, *args).then(*events)`."""
    return lambda aggregate, *history: Given(aggregate, history)
