"""Makes the run request of a tick. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import ValidationError

from contracts.core.event import Event
from contracts.core.timezones import parse_timezone
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.issues import issues
from contracts.domain.plan import Job, dated, problems
from contracts.domain.run import RUN
from contracts.domain.run_requests import Defaults, RunRequest, Trigger, plan_request, pursue
from scheduler.active_schedules import ActiveSchedule

SHOWN = 3
"""Maximum number of problems listed in a reason."""


class InvalidPlan(Exception):
    """The DAG's plan cannot be executed; the message says why."""


def asked_by(
    entry: ActiveSchedule, tick: datetime, history: Iterable[Event], defaults: Defaults
) -> RunRequest:
    """The run that the tick requests, given the history of its DAG or goal.

    Raises:
        InvalidPlan: the plan cannot be executed.
    """
    run_id = entry.run_id(tick)
    if entry.of_goal:
        occasion = Trigger("schedule", entry.id, entry.schedule.timezone)
        return pursue(entry.owner[1], GOAL.fold(history), run_id, occasion, defaults)
    return RunRequest(RUN, run_id, request_of(entry, tick, DAG.fold(history)))


def request_of(entry: ActiveSchedule, tick: datetime, plan: dag.State) -> run.Requested:
    """The run request for the current plan. `{{currentDate}}` becomes the tick in the schedule's zone.

    It does not check that the tools exist. If one is missing, the executor suspends the run.

    Raises:
        InvalidPlan: the plan cannot be executed.
    """
    job = _executable(plan)
    timezone = entry.schedule.timezone
    ready = dated(job, tick.astimezone(parse_timezone(timezone)))
    return plan_request(entry.id, plan, ready, "schedule", timezone)


def _executable(plan: dag.State) -> Job:
    try:
        job = plan.job if isinstance(plan.job, Job) else Job.model_validate(plan.job)
    except ValidationError as error:
        complaints = ((issue["path"], issue["message"]) for issue in issues(error, Job))
        raise InvalidPlan(_reason(complaints)) from error
    if job.clarification_needed:
        raise InvalidPlan(f"the plan asks a question first: {job.clarification_query}")
    if found := problems(job, tools=None):
        raise InvalidPlan(_reason((issue.path, issue.message) for issue in found))
    return job


def _reason(complaints: Iterable[tuple[Sequence[str | int], str]]) -> str:
    first = [f"{'.'.join(map(str, path)) or 'the plan'}: {message}" for path, message in complaints][:SHOWN]
    return f"the DAG's plan cannot be executed; correct its `result`: {'; '.join(first)}"
