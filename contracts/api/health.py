"""Health over HTTP."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from contracts.api.fields import Absent, Row, Timestamp

BUILDING = "building the views"
"""Start of the problem text while the views are rebuilt from the log. The progress follows."""


class Alive(Row):
    """The process answers."""

    status: Literal["ok"] = "ok"
    timestamp: Timestamp


class Queue(Row):
    """Waiting and running runs."""

    size: int
    """Number of waiting runs."""
    pending: int
    """Number of running runs."""
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
    """Names of the executors whose heartbeat is recent."""
    llm: str
    """`ok`, or which setting to change. Jobs that have only tool steps need no language model."""
    problems: dict[str, str]
    """Why the system is not ready, and what to do. Empty if it is ready."""
    warnings: dict[str, str] = Field(default_factory=dict)
    """What is dangerous in the settings, and what to change. A system with warnings can be ready."""
    error: Absent[str] = None
    """All problems as one text."""
    timestamp: Timestamp

    def for_strangers(self) -> Readiness:
        """Return the readiness without the names of its parts."""
        nothing = {"provider": "", "model": "", "llm_provider": "", "executors": []}
        unnamed = self.dag_scheduler.model_copy(update={"schedules": []})
        return self.model_copy(update={**nothing, "dag_scheduler": unnamed})

    @property
    def is_ready(self) -> bool:
        """Whether there are no problems."""
        return self.status == "ready"

    @property
    def is_serving(self) -> bool:
        """Whether the only problem, if any, is a missing LLM."""
        return not self.problems.keys() - {"llm"}
