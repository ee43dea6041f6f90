"""The outcome of an attempt at a step, and the limits of attempts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from contracts.core.event import Event, Json
from contracts.core.spent import Spent
from contracts.core.tool import Effect
from contracts.core.waiting import LONGEST_S, bounded, doubled
from contracts.domain.outward import Ruling
from contracts.domain.run.ask_events import Asked
from contracts.domain.run.budget_events import BudgetReached
from contracts.domain.run.events import StepCompleted
from contracts.domain.run.goal_events import CallAnswered, Summarised, TurnTaken
from contracts.domain.run.state import State
from contracts.domain.run.steps import Step

CompletionEvent = StepCompleted | TurnTaken | CallAnswered | Summarised
"""The event of a completed step."""
OutcomeEvent = CompletionEvent | Asked | BudgetReached
"""The event of an attempt that did not fail: the step is completed, asks a person, or is not affordable."""


class Success(NamedTuple):
    """The outcome of an attempt that succeeded."""

    event: OutcomeEvent


@dataclass(frozen=True, slots=True)
class Failure:
    """The outcome of an attempt that failed."""

    step: str
    attempt: int
    error: str
    duration_ms: int
    retryable: bool
    retry_after: float | None = None
    """Seconds to wait, as the remote server asked."""
    jitter: float = 0.0
    """A random number from 0 to 1, chosen by the caller."""
    spent: Spent | None = None
    prompt: Json = None
    """See Prompted.prompt."""


Outcome = Success | Failure


def unknown_effect(_: Step) -> Effect:
    """The effect of an unknown tool: ONCE, so it is not repeated."""
    return Effect.ONCE


@dataclass(frozen=True, slots=True)
class Screening:
    """What is known about a step before it starts."""

    untrusted: bool = False
    """Whether its result will be from outside, or made of something from outside."""
    ruling: Ruling | None = None
    """The decision about its call; None: the call sends nothing to others."""


def unscreened(_: State, __: Step) -> Screening:
    """The screening where there is no policy: everything is trusted."""
    return Screening()


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """Limits and retries of the steps of one run."""

    parallel: int = 1000
    retries: int = 2
    backoff_s: float = 1.0
    """Seconds before the first retry; doubled for each further retry. Jitter adds up to 100 %."""
    max_backoff_s: float = 60.0
    longest_wait_s: float = LONGEST_S
    """Maximum seconds before a retry, even if the remote server asks for more."""
    max_takeovers: int = 5
    """The run is stopped after this many takeovers in a row without a completed step. A takeover of a run
    without steps in progress (it waits for a retry) does not count."""
    effect_of: Callable[[Step], Effect] = unknown_effect
    """Returns what a second execution of a step does; recorded when the step starts."""
    screen: Callable[[State, Step], Screening] = unscreened
    """Screens a step that can start; recorded when the step starts."""

    @property
    def longest_s(self) -> float:
        """The most that `wait_s` returns."""
        return max(self.max_backoff_s, self.longest_wait_s)

    def wait_s(self, failures: int, jitter: float, asked_s: float | None = None) -> float:
        """Seconds to wait before the next attempt: the back-off, or `asked_s` if that is longer.

        `failures`: failures before the current one.
        """
        backoff = doubled(self.backoff_s * (1 + jitter), failures, self.max_backoff_s)
        return max(backoff, bounded(asked_s, self.longest_wait_s))


class Settled(NamedTuple):
    """What follows from outcomes."""

    events: list[Event]
    state: State
    """The state after the events."""
