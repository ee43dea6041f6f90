from __future__ import annotations

from typing import Any

import pytest

from contracts.core.outcome import Reject, Retry
from contracts.llm.backoff import Backoff
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import refusal

OPENAI = Endpoint(Provider.OPENAI, "gpt-4o", "https://api.openai.com/v1", "k", {})
OLLAMA = Endpoint(Provider.OLLAMA, "llama3", "http://localhost:11434/v1", "k", {})


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 502, 503, 504, 529])
def test_a_passing_failure_is_to_be_retried_after_the_time_asked_for(status: int) -> None:
    outcome = refusal(OPENAI, status, {"message": "busy"}, after=9.0).as_outcome()

    assert isinstance(outcome, Retry)
    assert outcome.after == 9.0


@pytest.mark.parametrize(
    ("endpoint", "status", "error", "says"),
    [
        (OPENAI, 400, {"message": "bad image"}, "openai answered 400 for model gpt-4o: bad image"),
        (OPENAI, 401, {"message": "no such key"}, "check OPENAI_API_KEY"),
        (OPENAI, 402, {}, "buy credit"),
        (OPENAI, 404, {"message": "no such model"}, "check OPENAI_MODEL"),
        (OPENAI, 429, {"code": "insufficient_quota"}, "quota is used up"),
        (OLLAMA, 404, {"message": "not found"}, "run `ollama pull llama3`"),
        (OPENAI, 413, "too large", "too large"),
        (OPENAI, 400, {"message": "Provider returned error", "metadata": {"raw": "no images"}}, "no images"),
    ],
)
def test_a_final_failure_is_rejected_and_says_what_to_do(
    endpoint: Endpoint, status: int, error: Any, says: str
) -> None:
    outcome = refusal(endpoint, status, error).as_outcome()

    assert isinstance(outcome, Reject)
    assert says in str(outcome)


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ({"error": "no such model"}, "openai answered 200 with an error for model gpt-4o: no such model"),
        ({"detail": "Invalid model"}, "openai answered 200 with an error for model gpt-4o: Invalid model"),
        ({"code": 529, "message": "overloaded"}, "openai answered 529 for model gpt-4o: overloaded"),
    ],
)
def test_an_error_in_a_200_response_has_no_status_that_nobody_sent(error: Any, says: str) -> None:
    outcome = refusal(OPENAI, 200, error).as_outcome()

    assert isinstance(outcome, Retry)
    assert str(outcome) == says


def test_delays_double_up_to_a_limit_and_are_spread() -> None:
    longest = Backoff(jitter=lambda: 1.0)
    shortest = Backoff(jitter=lambda: 0.0)

    assert [longest.delay(n, None) for n in (1, 2, 3, 10)] == [1.0, 2.0, 4.0, 30.0]
    assert [shortest.delay(n, None) for n in (1, 2, 3, 10)] == [0.5, 1.0, 2.0, 15.0]


def test_the_provider_is_never_asked_again_earlier_than_it_wants() -> None:
    assert Backoff().delay(1, 20.0) == 20.0


def test_a_long_retry_after_is_left_to_the_caller() -> None:
    assert Backoff().delay(1, 61.0) is None
