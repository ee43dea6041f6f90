"""Helpers for outcomes of attempts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from contracts.core.event import Json
from contracts.core.spent import Charged
from contracts.domain.run import Failure, Outcome, Prompted, Success

Key = tuple[str, int]
"""An attempt: the step id and the number of the attempt."""


def key_of(outcome: Outcome) -> Key:
    """The attempt that ended with `outcome`."""
    ended = outcome.event if isinstance(outcome, Success) else outcome
    return ended.step, ended.attempt


def with_prompt(outcome: Outcome, prompt: Json) -> Outcome:
    """The outcome with the request that was sent to a model; None if no model was asked."""
    if prompt is None:
        return outcome
    if isinstance(outcome, Failure):
        return replace(outcome, prompt=prompt)
    asked_model = isinstance(outcome.event, Prompted)
    return Success(outcome.event.model_copy(update={"prompt": prompt})) if asked_model else outcome


def with_error(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """The outcomes, with the first one, which is too large for a commit, replaced by an error."""
    first, *others = outcomes
    ended = first.event if isinstance(first, Success) else first
    error = Failure(
        step=ended.step,
        attempt=ended.attempt,
        error="the result of the step is too large for one event; return less, or write it to a file",
        duration_ms=getattr(ended, "duration_ms", 0),
        retryable=False,
        spent=ended.spent if isinstance(ended, Failure | Charged) else None,
        prompt=getattr(ended, "prompt", None),
    )
    return [error, *others]
