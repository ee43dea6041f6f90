"""What the planner counts."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

PLANS = Counter("plans", "Requests for a plan that came to an end, by the event that ended them", ["outcome"])
ATTEMPTS = Counter("planning_attempts", "Times a model was asked for a plan, by why", ["reason"])
SECONDS = Histogram(
    "planning_seconds",
    "From taking a request until it came to an end",
    buckets=(0.3, 1, 3, 10, 30, 60, 120, 300, 600),
)
