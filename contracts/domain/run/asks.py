"""The questions of a run to a person, open and answered, as part of its state."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from contracts.domain.run.ask_events import Answered, Asked, AskExpired

T = TypeVar("T")

Closed = Answered | AskExpired
"""How a question was closed."""


class Asks(NamedTuple):
    """Open and closed questions by step. A step has at most one open question."""

    open: Mapping[str, Asked] = MappingProxyType({})
    closed: Mapping[str, Closed] = MappingProxyType({})
    """The newest closed question of each step."""

    @property
    def until(self) -> datetime | None:
        """The first expiry of an open question; None if none expires."""
        return min((ask.expires_at for ask in self.open.values() if ask.expires_at), default=None)

    def due(self, now: datetime) -> tuple[Asked, ...]:
        """The open questions that have expired."""
        return tuple(ask for ask in self.open.values() if ask.expires_at and ask.expires_at <= now)

    def approves(self, step: str) -> Answered | None:
        """The approval of the step's call, or None."""
        closed = self.closed.get(step)
        return closed if isinstance(closed, Answered) and closed.verdict == "approve" else None

    def with_open(self, ask: Asked) -> Asks:
        """The questions after a step asked."""
        return Asks({**self.open, ask.step: ask}, _without(self.closed, ask.step))

    def with_closed(self, closed: Closed) -> Asks:
        """The questions after one was answered or expired."""
        return Asks(_without(self.open, closed.step), {**self.closed, closed.step: closed})

    def without_refusals(self) -> Asks:
        """The questions without those that were rejected or expired, so that their steps ask again."""
        granted = {step: one for step, one in self.closed.items() if not refusal(one)}
        return Asks(self.open, granted)

    def withdrawn(self) -> Asks:
        """The questions without the open ones."""
        return Asks({}, self.closed) if self.open else self


def refusal(closed: Closed) -> str | None:
    """Why the step fails: its question was rejected or expired. None if it was granted."""
    if isinstance(closed, AskExpired):
        return f"nobody answered before {closed.expired_at.isoformat(timespec='seconds')}"
    if closed.verdict != "reject":
        return None
    return f"rejected by {closed.by}" + (f": {closed.comment}" if closed.comment else "")


def _without(mapping: Mapping[str, T], step: str) -> Mapping[str, T]:
    return {key: value for key, value in mapping.items() if key != step}
