"""Health over HTTP."""

from __future__ import annotations

from typing import Literal

from contracts.api.fields import Absent, Row, Timestamp

BUILDING = "building the views"
"""Begins the problem of a system whose views are being made of the log; how far they are follows."""


class Alive(Row):
    """The process answers."""

    status: Literal["ok"] = "ok"
    timestamp: Timestamp


class Queue(Row):
    """Waiting and running runs."""

    size: int
    """Waiting."""
    pending: int
    """Running."""
    concurrency: int
    """Maximum number of goal runs at once."""
    is_paused: bool = False


class Scheduler(Row):
    """Schedules and the queue of goal runs."""

    active_schedules: int
    max_concurrency: int
    """Maximum number of goal runs at once (MAX_CONCURRENT_RUNS)."""
    queue: Queue


class DagScheduler(Row):
    """Active schedules of DAGs."""

    active_schedules: int
    schedules: list[str]
    """Ids of the DAGs."""


class Readiness(Row):
    """Whether the system can serve requests, and what is missing."""

    status: Literal["ready", "not ready"]
    provider: str
    model: str
    scheduler: Scheduler
    dag_scheduler: DagScheduler
    database: str
    llm_provider: str
    nats: str
    projector_lag: int | None
    """Number of commits that the views do not include yet; null if unknown."""
    executors: list[str]
    """Instances that reported in the last seconds."""
    llm: str
    """`ok`, or what to set. Jobs of tool steps only need no language model."""
    problems: dict[str, str]
    """Why it is not ready, and what to do."""
    error: Absent[str] = None
    """All problems as one text."""
    timestamp: Timestamp

    @property
    def is_ready(self) -> bool:
        """Whether everything is there."""
        return self.status == "ready"

    @property
    def is_serving(self) -> bool:
        """Whether everything is there but, perhaps, an LLM."""
        return not self.problems.keys() - {"llm"}
