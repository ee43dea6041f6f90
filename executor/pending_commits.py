"""Decisions about a run that are not in the log yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.run import Outcome
from contracts.runtime.log import TooLarge
from contracts.runtime.stream import Stream

MAX_DECISIONS = 256
"""Maximum number of decisions in one commit."""


class Decision(NamedTuple):
    """The events of one decision."""

    events: Sequence[Event]
    outcome: Outcome | None
    """The outcome that led to the decision; None for the claim of the run."""
    becomes: run.State


class PendingCommits:
    """A stream with unsaved decisions, each based on the ones before."""

    def __init__(self, stream: Stream[run.State]) -> None:
        self.stream = stream
        self._unsaved: list[Decision] = []
        self.state = stream.state
        """The state after all decisions."""

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.stream.id

    @property
    def saved(self) -> run.State:
        """The state in the log."""
        return self.stream.state

    @property
    def unsaved(self) -> int:
        """The number of decisions that are not in the log."""
        return len(self._unsaved)

    @property
    def oldest(self) -> Outcome | None:
        """The outcome that led to the oldest unsaved decision, or None."""
        return self._unsaved[0].outcome

    def decide(self, events: Sequence[Event], becomes: run.State, outcome: Outcome | None = None) -> None:
        """Add the events of one decision about `state`. `becomes` is the state after them."""
        self.state = becomes
        self._unsaved.append(Decision(events, outcome, becomes))

    async def save(self) -> Sequence[Event]:
        """Append the oldest decisions as one commit, as many as fit. Returns the appended events.

        If a decision does not fit, as many of its events as fit are appended.

        Raises:
            Conflict: another process changed the run. Call `forget` and `refresh`, and decide again.
            TooLarge: the oldest event does not fit.
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
                self._unsaved[0] = decision._replace(events=decision.events[count:])
                return events
        raise TooLarge(f"an event of {self.id} is larger than the maximum size of a commit")

    def forget(self) -> Sequence[Outcome]:
        """Discard the unsaved decisions. Returns the outcomes that led to them."""
        outcomes = [one.outcome for one in self._unsaved if one.outcome is not None]
        self._unsaved.clear()
        self.state = self.stream.state
        return outcomes

    async def refresh(self) -> None:
        """Read changes by other processes. There must be no unsaved decisions."""
        await self.stream.refresh()
        self.state = self.stream.state
