"""Prometheus metrics of the projector."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

COMMITS = Counter("projector_commits", "Commits folded into the views.")
POSITION = Gauge("projector_position", "Stream sequence that the views include.")
HEAD = Gauge("projector_log_head", "Stream sequence of the newest commit at the last readiness check.")
REPLICAS_BEHIND = Gauge(
    "projector_log_replicas_behind",
    "Replicas of the log that were down or lacked the newest commits at the last readiness check.",
)
BATCH_SECONDS = Histogram(
    "projector_batch_seconds",
    "Seconds to fold and write one batch.",
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3),
)
