"""Requests the run of a new plan, if the request for the plan includes a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from pydantic import ValidationError

from contracts.core.event import Event
from contracts.core.outcome import Reject
from contracts.domain import dag, run
from contracts.domain.plan import Job, dated
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_request
from contracts.runtime.stream import Stream, transact


async def request_run(planned: Stream[dag.State], now: datetime, payer: str | None) -> None:
    """Request the run of the DAG, once, if the request for the plan includes a run. `payer` pays for it.

    Raises:
        Reject: the plan was replaced meanwhile by an invalid one.
    """
    state = planned.state
    if state.status is not dag.Status.PLANNED or state.request is None or state.request.run_id is None:
        return
    wanted = plan_request(planned.id, state, dated(_job(state), now), "plan", paid_by=payer)
    await transact(
        planned.log, RUN, state.request.run_id, partial(run.request, wanted=wanted), planned.origin
    )


async def cancel_run(planned: Stream[dag.State], reason: str) -> None:
    """Cancel the run of the DAG, unless it was already requested or the request includes no run."""
    request = planned.state.request
    if request is None or request.run_id is None:
        return

    def decide(state: run.State) -> Sequence[Event]:
        return [run.Cancelled(reason=reason)] if state.status is run.Status.ABSENT else []

    await transact(planned.log, RUN, request.run_id, decide, planned.origin)


def _job(state: dag.State) -> Job:
    try:
        return Job.model_validate(state.job)
    except ValidationError as error:
        raise Reject(
            f"the plan was replaced before its run was requested, and the new one cannot be executed: {error}"
        ) from error
