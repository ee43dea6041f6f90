"""A tiny aggregate of the tests' own, and what the suites on both logs share."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.codec import Codec
from contracts.core.commit import Commit
from contracts.core.event import Event, Json
from contracts.core.ids import new_id


class Added(Event):
    type: ClassVar[str] = "counter.added"
    offloaded: ClassVar[frozenset[str]] = frozenset({"note"})

    amount: int = 1
    note: Json = None
    remark: Json = None


class Reset(Event):
    type: ClassVar[str] = "counter.reset"


def _evolve(total: int, event: Added | Reset) -> int:
    return total + event.amount if isinstance(event, Added) else 0


COUNTER = Aggregate("counter", 0, _evolve, lambda total: "zero" if total == 0 else "positive", (Added, Reset))


@dataclass(frozen=True)
class Counters:
    """Commits of counters, for tests that are about commits and not about counters."""

    aggregate: Aggregate[int] = COUNTER
    codec: Codec = field(default_factory=lambda: Codec((COUNTER,)))
    added: type[Added] = Added
    reset: type[Reset] = Reset

    def commit(self, counter: str = "a", *events: Event, version: int = 1, state: str = "positive") -> Commit:
        """One decision about `counter`; by default it adds one."""
        return Commit(
            id=new_id(),
            aggregate="counter",
            aggregate_id=counter,
            state=state,
            version=version,
            time=datetime.now(UTC),
            source="/test/1",
            events=events or (Added(),),
            correlation_id="c1",
        )


@pytest.fixture
def counters() -> Counters:
    """The tiny aggregate."""
    return Counters()
