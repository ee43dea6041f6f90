"""Which service may write which commits. NATS enforces it for subjects, readers of the log for events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

from contracts.core.event import Event
from contracts.core.unread import Unread

KnownEvent = type[Event]


class Writes(NamedTuple):
    """What one service may write of one kind of aggregate."""

    events: frozenset[KnownEvent]
    states: frozenset[str]
    """States of the aggregate after a commit of the service: the last tokens of its subjects."""


Writers = Mapping[str, Mapping[str, Writes]]
"""What each service may write, by service and name of the aggregate. Empty: every source may write all."""


def writes(states: Iterable[str], *events: KnownEvent) -> Writes:
    """The permission for commits with `events` that lead to `states`."""
    return Writes(frozenset(events), frozenset(map(str, states)))


@lru_cache(maxsize=1024)
def service_of(source: str) -> str:
    """The service in a commit's source, `/<service>/<instance>`; empty if it has another form."""
    first, _, rest = source.partition("/")
    return rest.partition("/")[0] if not first else ""


def refusal(writers: Writers, source: str, aggregate: str, state: str, events: Sequence[Event]) -> str | None:
    """Return why `source` may not write a commit; None if it may.

    Aggregates, states and events that this version does not know may have been added by a newer version of
    the writer: they are not refused.
    """
    allowed = writers.get(service_of(source), {}).get(aggregate)
    if allowed and state in allowed.states and allowed.events.issuperset(map(type, events)):
        return None
    writing = {service: table[aggregate] for service, table in writers.items() if aggregate in table}
    if not writing:
        return None
    if allowed is None:
        return f"{source} may not write commits of {aggregate}: only {', '.join(sorted(writing))} may"
    if state not in allowed.states and any(state in other.states for other in writing.values()):
        return f"{source} may not bring a {aggregate} into the state {state}"
    for event in events:
        if type(event) not in allowed.events and not isinstance(event, Unread):
            return f"{source} may not write {event.type}"
    return None
