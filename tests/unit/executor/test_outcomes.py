"""Outcomes of attempts that are too large for the log."""

from __future__ import annotations

import pytest

from contracts.core.event import Usage
from contracts.core.spent import Spent
from contracts.domain import run
from contracts.domain.run import Failure, Outcome, Success
from executor.outcomes import with_error

SPENT = Spent(usage=Usage(prompt_tokens=5), cost_usd="0.01", provider="openai", model="m")


@pytest.mark.parametrize(
    "outcome",
    [
        Success(run.StepCompleted(step="1", attempt=1, result="x", **SPENT.as_fields)),
        Failure(step="1", attempt=1, error="?", duration_ms=1, retryable=True, spent=SPENT),
    ],
)
def test_a_result_that_is_too_large_to_be_stored_has_cost_what_it_has(outcome: Outcome) -> None:
    (error,) = with_error([outcome])
    assert isinstance(error, Failure)
    assert error.spent == SPENT
