"""Resuming runs of goals."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from contracts.domain import dag, goal, run, run_requests
from contracts.domain.run import OPEN, RUN
from contracts.domain.run_requests import plan_id
from contracts.domain.schedule.schedule import Overlap
from contracts.runtime.stream import Stream
from contracts.views import IS_GOAL_RUN, runs
from gateway.api.goals import running
from gateway.api.goals.run_presenters import RUN_STATUS
from gateway.api.runs import resuming
from gateway.api.runs.goal_of_run import active_goal, require_still_active
from gateway.endpoint import Call
from gateway.gateway import Gateway
from gateway.http.errors import Refusal

_OPEN_OF_SCHEDULE = select(runs.c.id).where(
    IS_GOAL_RUN,
    runs.c.goal_id == bindparam("goal_id"),
    runs.c.schedule_id == bindparam("schedule_id"),
    runs.c.id != bindparam("run_id"),
    runs.c.status.in_([status.value for status in OPEN]),
)


async def resume(call: Call[None, None], run_id: str) -> Stream[run.State]:
    """Resume a run of a goal.

    Raises:
        UnknownRun: no goal has a run with this id.
        Refusal: the run cannot be resumed. The error says why.
        ViewsUnavailable: the views cannot be read at the moment.
    """
    gateway = call.gateway
    pursued = await active_goal(gateway, await _goal_of(call, run_id), call.origin)
    await _require_no_other(gateway, pursued, run_id)

    def require(state: run.State, plan: dag.State) -> None:
        running.require_goal_run(state, plan)
        status = run_requests.status(run_id, state, plan)
        if state.status is run.Status.ABSENT and status is not run.Status.ABSENT:
            why = "no plan was made for it" if status is run.Status.FAILED else "its plan is still being made"
            raise _refused(f"the run cannot be resumed: {why}; run the goal again", status)

    try:
        stream = await resuming.resume(gateway, run_id, call.origin, require)
    except run.CannotResume as error:
        current = (await Stream.open(gateway.log, RUN, run_id, call.origin)).state.status
        raise _refused(str(error), current) from error
    await require_still_active(gateway, pursued, run_id)
    return stream


async def _goal_of(call: Call[None, None], run_id: str) -> str:
    state = (await Stream.open(call.gateway.log, RUN, run_id, call.origin)).state
    plan = (await Stream.open(call.gateway.log, dag.DAG, plan_id(run_id), call.origin)).state
    goal_id = state.goal_id or (plan.request.goal_id if plan.request else None)
    if goal_id is None or state.status is run.Status.DELETED:
        raise run.UnknownRun
    return goal_id


async def _require_no_other(gateway: Gateway, pursued: Stream[goal.State], run_id: str) -> None:
    """Refuse if the schedule of the run allows one run at a time, and another one is in progress."""
    row = await gateway.views.first(select(runs.c.schedule_id).where(runs.c.id == run_id))
    schedule = pursued.state.schedules.get((row and row["schedule_id"]) or "")
    if row is None or schedule is None or schedule.overlap is Overlap.ALLOW:
        return
    asked = {"goal_id": pursued.id, "schedule_id": row["schedule_id"], "run_id": run_id}
    if other := await gateway.views.value(_OPEN_OF_SCHEDULE, **asked):
        raise Refusal(
            409, f"the schedule has started another run, {other}: resume this one when that has ended"
        )


def _refused(error: str, status: run.Status) -> Refusal:
    return Refusal(409, error, currentStatus=RUN_STATUS.get(status, status.value))
