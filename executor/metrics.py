"""Metrics of the executor."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

RUNS_IN_PROGRESS = Gauge("executor_runs_in_progress", "Runs this process holds a lease on.")
RUNS_ENDED = Counter("executor_runs_ended", "Ends of runs: completed, failed or suspended.", ["outcome"])
STEPS_FAILED = Counter("executor_steps_failed", "Steps that failed finally.", ["name"])
STEPS_IN_PROGRESS = Gauge("executor_steps_in_progress", "Steps being executed.")
TAKEOVERS = Counter("executor_takeovers", "Runs taken over from an executor that stopped responding.")
STEP_SECONDS = Histogram(
    "executor_step_seconds",
    "Seconds of one attempt at a step.",
    ["name", "outcome"],
    buckets=(0.001, 0.01, 0.1, 0.5, 1, 5, 15, 60, 300),
)
APPEND_SECONDS = Histogram(
    "executor_append_seconds",
    "Seconds from a decision to its acknowledgement by the log.",
    buckets=(0.0003, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.25, 1, 5),
)
