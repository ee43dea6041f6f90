from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic import ValidationError

from contracts.core.event import Usage
from contracts.core.money import decimal_text
from contracts.core.spent import Charged, Spent
from contracts.domain import dag, run, task


@pytest.mark.parametrize(
    ("cost", "text"),
    [
        ("1E-7", "0.0000001"),
        ("0.10", "0.1"),
        ("100", "100"),
        ("1e3", "1000"),
        (Decimal("1.5E-11"), "0.000000000015"),
    ],
)
def test_money_is_never_in_scientific_notation(cost: Decimal | str, text: str) -> None:
    assert decimal_text(cost) == text
    assert Spent(cost_usd=cost).cost_usd == text


@pytest.mark.parametrize("cost", ["NaN", "Infinity", "ten", ""])
def test_a_value_that_is_no_amount_of_money_is_refused(cost: str) -> None:
    with pytest.raises(ValidationError, match="not an amount of money"):
        Spent(cost_usd=cost)


def test_a_stored_cost_in_scientific_notation_is_read_as_plain_text() -> None:
    stored = {"step": "1", "turn": 1, "thought": "", "finish_reason": "stop", "cost_usd": "1E-7"}

    assert run.TurnTaken.model_validate(stored).cost_usd == "0.0000001"


@pytest.mark.parametrize(
    "event",
    [
        run.StepCompleted,
        run.StepFailed,
        run.TurnTaken,
        run.Summarised,
        dag.AttemptMade,
        task.Answered,
        task.Failed,
    ],
)
def test_every_event_of_a_call_carries_what_was_spent_in_the_same_fields(event: type) -> None:
    assert issubclass(event, Charged)


def test_a_failed_attempt_is_recorded_with_what_it_has_spent() -> None:
    spent = Spent(usage=Usage(prompt_tokens=3), cost_usd="0.1", provider="openai", model="m")
    failed = run.StepFailed(step="1", attempt=1, error="empty", **spent.as_fields)

    assert failed.spent == spent
