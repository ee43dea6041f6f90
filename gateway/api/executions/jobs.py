"""Jobs that are to be executed: whether they can be, here and now."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import ValidationError

from contracts.core.event import Json
from contracts.domain.agent import State, with_usable_model
from contracts.domain.issues import issues
from contracts.domain.plan import Job, SubTask, dated, in_zone, mentions_date, problems
from gateway.endpoint import INVALID_BODY
from gateway.gateway import Gateway
from gateway.http.errors import Refusal
from gateway.state.stored_plans import Approval


def job_of(value: Json, *path: str) -> Job:
    """The job that a client gave; `path` is where in the request it stands.

    Raises:
        Refusal: it is none.
    """
    if isinstance(value, Job):
        return value
    try:
        return Job.model_validate(value)
    except ValidationError as error:
        raise _invalid(issues(error, Job), path) from error


async def approve(gateway: Gateway, job: Job, *path: str) -> Approval:
    """That `job` is fit to be executed with the tools and agents there are.

    Raises:
        Refusal: it cannot be executed.
        Unavailable: the agents could not be read.
    """
    infers = any(task.is_inference for task in job.sub_tasks)
    agents = (await gateway.agents_current()).names() if infers else None
    revision, tools = gateway.catalogue.revision, {spec.name: spec for spec in gateway.catalogue.all()}
    if not tools and not all(task.is_inference for task in job.sub_tasks):
        raise Refusal(503, "No executor has told its tools yet: start one and try again", retry_after=1)
    if found := problems(job, tools, agents=agents):
        raise _invalid([one.as_json() for one in found], path)
    return Approval(job, revision, agents, is_timeless=not mentions_date(job))


async def still_holds(gateway: Gateway, approval: Approval) -> bool:
    """Whether the tools and agents are those that `approval` was given with.

    Raises:
        Unavailable: the agents could not be read.
    """
    agents = None if approval.agents is None else (await gateway.agents_current()).names()
    return agents == approval.agents and gateway.catalogue.revision == approval.tools


def llm_problem(gateway: Gateway, left: Iterable[SubTask]) -> str | None:
    """What to set before the sub-tasks in `left` can be done; None when nothing is missing.

    Each inference asks its own agent's model, or that of the settings in its place. The report is made by
    that of the settings, or without a model.
    """
    names = {task.tool_or_prompt.name for task in left if task.is_inference}
    agents = [entry.state if (entry := gateway.agents.active(name)) else State() for name in names]
    asked = [with_usable_model(agent, gateway.llm_problem)[0] for agent in agents]
    models = {(agent.provider, agent.model) for agent in asked}
    return next(filter(None, (gateway.llm_problem(*model) for model in models)), None)


def executable(gateway: Gateway, approval: Approval, timezone: str) -> Job:
    """The approved job with the date in it that is now in a time zone.

    Raises:
        Refusal: it needs a model, and there is none.
    """
    if problem := llm_problem(gateway, approval.job.sub_tasks):
        raise Refusal(503, problem)
    now = in_zone(gateway.clock(), timezone)
    return approval.job if approval.is_timeless else dated(approval.job, now)


def _invalid(found: list[dict[str, Json]], path: tuple[str, ...]) -> Refusal:
    placed = [{**issue, "path": [*path, *issue["path"]]} for issue in found]
    return Refusal(400, INVALID_BODY, validation_errors=placed)
