"""Executions that wait for their plan, of which the views know nothing yet: as the log has them."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.api.fields import epoch_ms, iso
from contracts.core.commit import Recorded, all_events
from contracts.domain import dag, run
from contracts.domain.awaiting_plan import PLANLESS, awaits, plan_id
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.domain.run import RUN
from gateway.gateway import Gateway
from gateway.views.presenting import Shown

NO_PLAN = "no plan came of its goal: see its DAG"


async def awaited(gateway: Gateway, execution_id: str) -> Shown | None:
    """The execution that is to be made of a plan; None when none is, or when it was deleted.

    Raises:
        Unavailable: the log could not be read.
    """
    planned = await gateway.log.read(DAG.name, plan_id(execution_id))
    plan = DAG.fold(all_events(one.commit for one in planned))
    if not awaits(execution_id, plan):
        return None
    own = await gateway.log.read(RUN.name, execution_id)
    if RUN.fold(all_events(one.commit for one in own)).status is run.Status.DELETED:
        return None
    return _row(execution_id, plan, planned, own)


def require_execution(state: run.State, plan: dag.State) -> None:
    """Raises UnknownRun for what is no execution of a plan, and will not be one of this plan."""
    if state.request is None and (plan.request is None or state.status is run.Status.DELETED):
        raise run.UnknownRun("there is no such execution")


def status_of(state: run.State, plan: dag.State) -> run.Status:
    """Where a run stands that may still wait for its plan."""
    if state.status is not run.Status.ABSENT:
        return state.status
    return run.Status.FAILED if plan.status in PLANLESS else run.Status.PENDING


def _row(execution_id: str, plan: dag.State, planned: Sequence[Recorded], own: Sequence[Recorded]) -> Shown:
    job = plan.job if isinstance(plan.job, Job) else None
    last = max((*planned, *own), key=lambda one: one.seq)
    cancelled_at, cancelled_reason = _cancelled(own)
    failed = plan.status in PLANLESS and cancelled_at is None
    over = cancelled_at is not None or failed
    changed_at = iso(epoch_ms(last.commit.time))
    return {
        "dagTitle": plan.title,
        "id": execution_id,
        "dagId": plan_id(execution_id),
        "originalRequest": plan.goal_text or (plan.request.goal_text if plan.request else ""),
        "primaryIntent": job.intent.primary if job else "",
        "status": "failed" if over else "pending",
        "startedAt": None,
        "completedAt": cancelled_at or (changed_at if failed else None),
        "durationMs": None,
        "totalTasks": len(job.sub_tasks) if job else 0,
        "completedTasks": 0,
        "failedTasks": 0,
        "waitingTasks": 0,
        "finalResult": None,
        "synthesisResult": None,
        "suspendedReason": NO_PLAN if failed else None,
        "suspendedAt": None,
        "cancelledReason": cancelled_reason,
        "cancelledAt": cancelled_at,
        "retryCount": 0,
        "lastRetryAt": None,
        "totalUsage": None,
        "totalCostUsd": None,
        "trigger": "plan",
        "seq": last.seq,
        "createdAt": iso(epoch_ms(planned[0].commit.time)),
        "updatedAt": changed_at,
    }


def _cancelled(commits: Sequence[Recorded]) -> tuple[str, str] | tuple[None, None]:
    """When and why it was called off."""
    for one in commits:
        for event in one.commit.events:
            if isinstance(event, run.Cancelled):
                return iso(epoch_ms(one.commit.time)), event.reason
    return None, None
