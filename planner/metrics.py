"""Metrics of the planner."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

PLANS = Counter("plans", "Finished requests for a plan, by outcome", ["outcome"])
ATTEMPTS = Counter("planning_attempts", "Attempts at a plan, by reason", ["reason"])
SECONDS = Histogram(
    "planning_seconds",
    "Seconds from taking a request until its end",
    buckets=(0.3, 1, 3, 10, 30, 60, 120, 300, 600),
)
