"""Metrics of LLM calls."""

from __future__ import annotations

from decimal import Decimal

from prometheus_client import Counter, Gauge, Histogram

from contracts.llm.bill import Tokens
from contracts.llm.endpoint import Endpoint
from contracts.llm.failure import CallFailed

ATTEMPTS = Counter(
    "llm_attempts",
    "HTTP exchanges with LLM providers: ok, passing or final failures",
    ["provider", "model", "outcome"],
)
SECONDS = Histogram(
    "llm_attempt_seconds",
    "Duration of those exchanges",
    ["provider", "model"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 60, 120, 300),
)
WAITING = Gauge("llm_waiting_calls", "Calls that wait because LLM_MAX_CONCURRENCY calls are in progress")
TOKENS = Counter("llm_tokens", "Tokens used, including unusable answers", ["provider", "model", "kind"])
COST = Counter("llm_cost_usd", "Known cost in US dollars, including unusable answers", ["provider", "model"])


def count_attempt(endpoint: Endpoint, failure: CallFailed | None, seconds: float) -> None:
    """Count one HTTP exchange."""
    outcome = "ok" if failure is None else "passing" if failure.passing else "final"
    ATTEMPTS.labels(endpoint.provider, endpoint.model, outcome).inc()
    SECONDS.labels(endpoint.provider, endpoint.model).observe(seconds)


def count_answer(endpoint: Endpoint, tokens: Tokens | None, cost: Decimal | None) -> None:
    """Count the tokens and the cost of one answer."""
    names = endpoint.provider, endpoint.model
    if tokens is not None:
        TOKENS.labels(*names, "prompt").inc(tokens.prompt)
        TOKENS.labels(*names, "completion").inc(tokens.completion)
    if cost is not None:
        COST.labels(*names).inc(float(cost))
