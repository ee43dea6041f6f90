"""What comes of an attempt at a step, and the limits within which attempts are made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.core.spent import Spent
from contracts.core.tool import Effect
from contracts.core.waiting import LONGEST_S, bounded, doubled
from contracts.domain.run.events import StepCompleted
from contracts.domain.run.goal_events import CallAnswered, Summarised, TurnTaken
from contracts.domain.run.steps import Step

Achieved = StepCompleted | TurnTaken | CallAnswered | Summarised
"""What a step can give."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What came of an attempt: a result."""

    completed: Achieved


@dataclass(frozen=True, slots=True)
class Erred:
    """What came of an attempt: an error."""

    step: str
    attempt: int
    error: str
    duration_ms: int
    retryable: bool
    retry_after: float | None = None
    """Seconds the other side asked us to wait."""
    jitter: float = 0.0
    """0 to 1, drawn by the caller."""
    spent: Spent | None = None


Outcome = Succeeded | Erred


def unknown_effect(_: Step) -> Effect:
    """Nothing is known of a tool: what is not known counts as not repeatable."""
    return Effect.ONCE


@dataclass(frozen=True, slots=True)
class RunPolicy:
    """Limits and retries of one run's steps."""

    parallel: int = 1000
    retries: int = 2
    backoff_s: float = 1.0
    """Before the first retry; doubled for each further one, plus up to as much again by jitter."""
    max_backoff_s: float = 60.0
    longest_wait_s: float = LONGEST_S
    """Before any retry, however long the other side asks us to wait."""
    max_takeovers: int = 5
    """Deaths in a row with steps in progress and none completed, after which a run is given up as poisonous:
    an executor that ends while the run only waits for a retry says nothing against the run."""
    effect_of: Callable[[Step], Effect] = unknown_effect
    """What a second execution of a step does; recorded when the step starts."""

    def wait_s(self, failures: int, jitter: float, asked_s: float | None = None) -> float:
        """Seconds to wait after `failures` failures and one more: our back-off, or longer if asked to."""
        backoff = doubled(self.backoff_s * (1 + jitter), failures, self.max_backoff_s)
        return max(backoff, bounded(asked_s, self.longest_wait_s))
