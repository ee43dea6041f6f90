"""The questions of a run to a person, open and answered, as part of its state.

The attempt of a step that needs a person ends with `run.asked`: what is asked, the parameters with all
results inserted, their hash, and the JSON Schema of the answer. Other steps go on. When no other step can
run, `run.waiting` gives the lease back and says when the first question expires, which the scheduler watches.
An executor that still has other steps looks for answers and closes expired questions itself.

`run.answered` makes the run pending, and the step runs again with the answer in the state. A call is made
only with parameters of the approved hash, or as a person edited them. The first answer counts, by the
optimistic lock. A rejection or an expiry fails the step; a resumed run asks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from contracts.core.event import Json
from contracts.domain.run.ask_events import Answered, Asked, AskExpired

T = TypeVar("T")

Closed = Answered | AskExpired
"""How a question was closed."""


class Asks(NamedTuple):
    """Open and closed questions by step. A step has at most one open question."""

    open: Mapping[str, Asked] = MappingProxyType({})
    closed: Mapping[str, Closed] = MappingProxyType({})
    """The newest closed question of each step."""
    approvals: Mapping[str, Answered] = MappingProxyType({})
    """The approval of each step's call. It stays while the call asks questions."""
    answers: Mapping[str, Mapping[str, Json]] = MappingProxyType({})
    """The answers to the questions of each step's call, by question."""

    @property
    def until(self) -> datetime | None:
        """The first expiry of an open question; None if none expires."""
        return min((ask.expires_at for ask in self.open.values() if ask.expires_at), default=None)

    def due(self, now: datetime) -> tuple[Asked, ...]:
        """The open questions that have expired."""
        return tuple(ask for ask in self.open.values() if ask.expires_at and ask.expires_at <= now)

    def with_open(self, ask: Asked) -> Asks:
        """The questions after a step asked. An approval is asked for a new call, or for other parameters."""
        asked = self._replace(open={**self.open, ask.step: ask}, closed=_without(self.closed, ask.step))
        if ask.kind == "question":
            return asked
        return asked._replace(
            approvals=_without(self.approvals, ask.step), answers=_without(self.answers, ask.step)
        )

    def with_closed(self, closed: Closed) -> Asks:
        """The questions after one was answered or expired."""
        step = closed.step
        left = self._replace(open=_without(self.open, step), closed={**self.closed, step: closed})
        if isinstance(closed, AskExpired) or step not in self.open:
            return left
        match closed.verdict:
            case "approve":
                return left._replace(approvals={**self.approvals, step: closed})
            case "answer":
                given = {**self.answers.get(step, {}), self.open[step].title: closed.value}
                return left._replace(answers={**self.answers, step: given})
        return left

    def without_refusals(self) -> Asks:
        """The questions without those that were rejected or expired, so that their steps ask again."""
        granted = {step: one for step, one in self.closed.items() if not refusal(one)}
        return self._replace(closed=granted)

    def withdrawn(self) -> Asks:
        """The questions without the open ones."""
        return self._replace(open={}) if self.open else self


def refusal(closed: Closed) -> str | None:
    """Why the step fails: its question was rejected or expired. None if it was granted."""
    if isinstance(closed, AskExpired):
        return f"nobody answered before {closed.expired_at.isoformat(timespec='seconds')}"
    if closed.verdict != "reject":
        return None
    return f"rejected by {closed.by}" + (f": {closed.comment}" if closed.comment else "")


def _without(mapping: Mapping[str, T], step: str) -> Mapping[str, T]:
    return {key: value for key, value in mapping.items() if key != step}
