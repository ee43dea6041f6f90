"""Makes the run request of a tick. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from pydantic import ValidationError

from contracts.core.actors import key_name
from contracts.core.timezones import parse_timezone
from contracts.domain import dag, goal
from contracts.domain.issues import issues
from contracts.domain.keys import Keys
from contracts.domain.plan import Job, dated, problems
from contracts.domain.run import RUN
from contracts.domain.run_requests import Defaults, RunRequest, Trigger, plan_request, pursue
from scheduler.active_schedules import ActiveSchedule

SHOWN = 3
"""Maximum number of problems listed in a reason."""


class CannotStart(Exception):
    """The tick cannot start a run; the message says why."""


class InvalidPlan(CannotStart):
    """The DAG's plan cannot be executed; the message says why."""


class InvalidPayer(CannotStart):
    """The key that pays is not valid; the message says why, and what to do."""


def require_payer(entry: ActiveSchedule, payer: str | None, keys: Keys, now: datetime) -> None:
    """Raises InvalidPayer if `payer` is a key that is not valid any more."""
    name = key_name(payer)
    if name is not None and (refusal := keys.refusal(name, now)):
        what = "goal" if entry.of_goal else "DAG"
        raise InvalidPayer(
            f"{refusal}. It changed the {what} last, so it pays for the runs of the schedule: "
            f"change the {what}, or pause and resume it, with a valid key"
        )


def goal_run(
    entry: ActiveSchedule, tick: datetime, state: goal.State, defaults: Defaults, paid_by: str | None = None
) -> RunRequest:
    """The run of a goal that the tick requests."""
    trigger = Trigger("schedule", entry.id, entry.schedule.timezone, paid_by)
    return pursue(entry.owner[1], state, entry.run_id(tick), trigger, defaults)


def plan_run(
    entry: ActiveSchedule, tick: datetime, plan: dag.State, job: Job, paid_by: str | None = None
) -> RunRequest:
    """The run of `job`, the plan of a DAG. `{{currentDate}}` becomes the tick in the schedule's zone."""
    timezone = entry.schedule.timezone
    ready = dated(job, tick.astimezone(parse_timezone(timezone)))
    wanted = plan_request(entry.id, plan, ready, "schedule", timezone, paid_by)
    return RunRequest(RUN, entry.run_id(tick), wanted)


def executable(plan: dag.State) -> Job:
    """The plan of a DAG.

    It does not check that the tools exist. If one is missing, the executor suspends the run.

    Raises:
        InvalidPlan: the plan cannot be executed.
    """
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
