"""Events of runs of plans, for tests of steps."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from contracts.domain import run
from contracts.domain.plan import Job
from contracts.domain.run import Failure, RunPolicy
from tests import jobs

Given = Callable[..., Any]

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
POLICY = RunPolicy(backoff_s=1.0)
ME = "executor-a"
OTHER = "executor-b"


def job(*tasks: tuple[str, list[str]], plan: str = "") -> Job:
    return jobs.job(*(jobs.task(id_, needs=tuple(needs)) for id_, needs in tasks), synthesis_plan=plan)


def requested(*tasks: tuple[str, list[str]], plan: str = "") -> run.Requested:
    return run.Requested(dag_id="d", original_request="do it", job=job(*tasks, plan=plan))


def started(synthesis: Any = "merge") -> run.Started:
    return run.Started(executor=ME, at=NOW, synthesis=synthesis)


def began(*steps: str, retried: tuple[str, ...] = ()) -> run.StepsStarted:
    return run.StepsStarted(steps=steps, retried=retried)


def done(step: str, result: Any = "r", attempt: int = 1) -> run.StepCompleted:
    return run.StepCompleted(step=step, attempt=attempt, result=result)


def failure(
    step: str, attempt: int = 1, *, retryable: bool = False, retry_after: float | None = None
) -> Failure:
    return Failure(step, attempt, "broke", 5, retryable, retry_after)


def failed(step: str, attempt: int = 1, retry_at: datetime | None = None) -> run.StepFailed:
    return run.StepFailed(step=step, attempt=attempt, error="broke", duration_ms=5, retry_at=retry_at)


CHAIN = requested(("1", []), ("2", ["1"]))
