"""Stream events about budgets of runs, in dialect-independent names. This module does no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.core.event import Event
from contracts.domain import run
from gateway.streams.dialect import StreamEvent


def stream_events(event: Event) -> Iterator[tuple[str, StreamEvent]]:
    """Yield the stream event of `event`, if it is about the budget."""
    match event:
        case run.BudgetSet():
            yield "budget.set", {"limits": event.budget.model_dump()}
        case run.BudgetWarned():
            yield "budget.warned", {"limit": event.limit, "allowed": event.allowed, "spent": event.spent}
        case run.BudgetReached():
            numbers = {"allowed": event.allowed, "spent": event.spent, "needed": event.needed}
            shared = {"shared": event.shared} if event.shared else {}
            yield "budget.reached", {"limit": event.limit, **shared, **numbers, "reason": event.reason}
