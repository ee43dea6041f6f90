"""A run as it has been decided: what the log has of it, and what the log is yet to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import RUN, Outcome
from contracts.runtime.log import TooLarge
from contracts.runtime.stream import Stream

MAX_DECISIONS = 256
"""In one commit."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Events that are to land together."""

    events: Sequence[Event]
    outcome: Outcome | None
    """What of a step led to them; None for the claim of the run."""
    becomes: run.State


class PendingCommits:
    """A stream, and decisions that build on one another before the log has acknowledged the first of them."""

    def __init__(self, stream: Stream[run.State]) -> None:
        self._stream = stream
        self._unsaved: list[Decision] = []
        self.state = stream.state
        """After everything decided."""

    @property
    def id(self) -> str:
        """Of the run."""
        return self._stream.id

    @property
    def saved(self) -> run.State:
        """What is in the log for certain."""
        return self._stream.state

    @property
    def unsaved(self) -> int:
        """Decisions that are not in the log yet."""
        return len(self._unsaved)

    @property
    def oldest(self) -> Outcome | None:
        """What led to the oldest unsaved decision, if it was an outcome."""
        return self._unsaved[0].outcome

    def decide(self, events: Sequence[Event], outcome: Outcome | None = None) -> None:
        """Take in the events of one decision about `state`."""
        self.state = RUN.fold(events, self.state)
        self._unsaved.append(Decision(events, outcome, self.state))

    async def save(self) -> None:
        """Append decisions, the oldest first, as one commit: as many as fit.

        Raises:
            Conflict: somebody else has changed the run; `forget` what was decided and `refresh`.
            TooLarge: not even the oldest fits.
        """
        count = min(len(self._unsaved), MAX_DECISIONS)
        while True:
            decisions = self._unsaved[:count]
            events = [event for decision in decisions for event in decision.events]
            try:
                await self._stream.append(events, becomes=decisions[-1].becomes)
            except TooLarge:
                if count == 1:
                    raise
                count //= 2
            else:
                del self._unsaved[:count]
                return

    def forget(self) -> Sequence[Outcome]:
        """Give up what is not saved; returns the outcomes that led to it, to be decided about again."""
        outcomes = [one.outcome for one in self._unsaved if one.outcome is not None]
        self._unsaved.clear()
        self.state = self._stream.state
        return outcomes

    async def refresh(self) -> None:
        """Take in what others have done to the run; nothing may be unsaved."""
        await self._stream.refresh()
        self.state = self._stream.state
