"""What LLM calls did, as `/metrics` shows it."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

from contracts.runtime.llm.chat import Completion
from contracts.runtime.llm.endpoint import Endpoint
from contracts.runtime.llm.failure import CallFailed

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
TOKENS = Counter("llm_tokens", "Tokens of completed calls", ["provider", "model", "kind"])
COST = Counter("llm_cost_usd", "Known cost of completed calls, in US dollars", ["provider", "model"])


def count_attempt(endpoint: Endpoint, failure: CallFailed | None, seconds: float) -> None:
    """One exchange is over."""
    outcome = "ok" if failure is None else "passing" if failure.passing else "final"
    ATTEMPTS.labels(endpoint.provider, endpoint.model, outcome).inc()
    SECONDS.labels(endpoint.provider, endpoint.model).observe(seconds)


def count_completion(completion: Completion) -> None:
    """One call is over and was answered."""
    names = completion.provider, completion.model
    if completion.usage is not None:
        TOKENS.labels(*names, "prompt").inc(completion.usage.prompt_tokens)
        TOKENS.labels(*names, "completion").inc(completion.usage.completion_tokens)
    if completion.cost_usd is not None:
        COST.labels(*names).inc(float(completion.cost_usd))
