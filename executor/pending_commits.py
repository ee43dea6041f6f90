"""A run as it has been decided: what the log has of it, and what the log is yet to be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        self.stream = stream
        self._unsaved: list[Decision] = []
        self.state = stream.state
        """After everything decided."""

    @property
    def id(self) -> str:
        """Of the run."""
        return self.stream.id

    @property
    def saved(self) -> run.State:
        """What is in the log for certain."""
        return self.stream.state

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

    async def save(self) -> Sequence[Event]:
        """Append decisions, the oldest first, as one commit: as many as fit. Returns the events appended.

        Of a decision that does not fit, as many events as do: a run can go on after any of them.

        Raises:
            Conflict: somebody else has changed the run; `forget` what was decided and `refresh`.
            TooLarge: not even the oldest event fits.
        """
        count = min(len(self._unsaved), MAX_DECISIONS)
        while count:
            decisions = self._unsaved[:count]
            events = [event for decision in decisions for event in decision.events]
            try:
                await self.stream.append(events, becomes=decisions[-1].becomes)
            except TooLarge:
                count //= 2
            else:
                del self._unsaved[:count]
                return events
        return await self._save_part(self._unsaved[0])

    async def _save_part(self, decision: Decision) -> Sequence[Event]:
        count = len(decision.events) // 2
        while count:
            events = decision.events[:count]
            try:
                await self.stream.append(events)
            except TooLarge:
                count //= 2
            else:
                self._unsaved[0] = replace(decision, events=decision.events[count:])
                return events
        raise TooLarge(f"an event of {self.id} is larger than a commit may be")

    def forget(self) -> Sequence[Outcome]:
        """Give up what is not saved; returns the outcomes that led to it, to be decided about again."""
        outcomes = [one.outcome for one in self._unsaved if one.outcome is not None]
        self._unsaved.clear()
        self.state = self.stream.state
        return outcomes

    async def refresh(self) -> None:
        """Take in what others have done to the run; nothing may be unsaved."""
        await self.stream.refresh()
        self.state = self.stream.state
