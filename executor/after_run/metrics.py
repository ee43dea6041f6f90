"""Metrics of the work after a run."""

from __future__ import annotations

from prometheus_client import Counter

MEMORIES_KEPT = Counter("executor_memories_kept", "Runs whose memories were stored.")
WEBHOOK_CALLS = Counter(
    "executor_webhook_calls", "Calls of goals' webhooks, by outcome: Delivered, AttemptFailed.", ["outcome"]
)
