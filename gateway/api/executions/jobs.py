"""Validation of jobs before execution, against the current tools, agents and models."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from pydantic import ValidationError

from contracts.core.event import Json
from contracts.core.suggestions import did_you_mean
from contracts.domain import dag
from contracts.domain.issues import Issue, issues
from contracts.domain.plan import (
    MAX_STEPS,
    Job,
    SubTask,
    dated,
    in_zone,
    mentions_date,
    problems,
    too_many_steps,
)
from gateway.api.runs.models import llm_problem
from gateway.api.unknown_agents import no_such_agent
from gateway.gateway import Gateway
from gateway.http.errors import INVALID_BODY, Refusal
from gateway.state.stored_plans import Approval, StoredPlan

MOST_NAMED = 10
"""Maximum number of tools that an error names."""


class ClarificationNeeded(Exception):
    """The job has a clarification question, which must be answered first."""

    def __init__(self, dag_id: str, job: Job) -> None:
        super().__init__(job.clarification_query)
        self.dag_id = dag_id
        """Empty for a job that is not stored as a DAG."""
        self.job = job


async def prepared(gateway: Gateway, plan: StoredPlan, *path: str) -> Job:
    """Validate the job of `plan` and insert the current date in the plan's time zone.

    `path` is the position of the job in the request. `plan` caches the result until tools or agents change.

    Raises:
        Refusal: the job is invalid, or a model that it needs cannot be called.
        ClarificationNeeded: the job has a clarification question.
        Unavailable: the agents could not be read.
    """
    job = _job_of(plan.state.job, path)
    if job.clarification_needed or plan.state.status is dag.Status.CLARIFICATION:
        raise ClarificationNeeded(plan.id, job)
    if plan.approval is None or not await _is_current(gateway, plan.approval):
        plan.approval = await _approve(gateway, job, path)
    if problem := llm_problem(gateway, job.sub_tasks):
        raise Refusal(503, problem)
    is_timeless = plan.approval.is_timeless
    return job if is_timeless else dated(job, in_zone(gateway.clock(), plan.state.timezone))


def has_same_steps(job: Job, plan: Json) -> bool:
    """Whether `job` has the same steps as `plan`, apart from dates."""
    try:
        now = plan if isinstance(plan, Job) else Job.model_validate(plan)
    except ValidationError:
        return False
    if mentions_date(now):
        return [_outline(task) for task in job.sub_tasks] == [_outline(task) for task in now.sub_tasks]
    return job.sub_tasks == now.sub_tasks and job.synthesis_plan == now.synthesis_plan


def _outline(task: SubTask) -> tuple[Json, ...]:
    return task.id, task.action_type, task.tool_or_prompt.name, task.dependencies


def _job_of(value: Json, path: tuple[str, ...]) -> Job:
    if isinstance(value, Job):
        return value
    tasks = value.get("sub_tasks") if isinstance(value, dict) else None
    if isinstance(tasks, list) and len(tasks) > MAX_STEPS:  # validating all of them would take too long
        raise _invalid([too_many_steps(len(tasks)).as_json()], path)
    try:
        return Job.model_validate(value)
    except ValidationError as error:
        raise _invalid(issues(error, Job), path) from error


async def _approve(gateway: Gateway, job: Job, path: tuple[str, ...]) -> Approval:
    """Check that `job` can be executed with the current tools and agents."""
    agents = await agents_for(gateway, job.sub_tasks)
    revision = gateway.catalogue.revision
    if found := job_problems(gateway, job, agents, job.sub_tasks):
        raise _invalid([one.as_json() for one in found], path)
    return Approval(revision, agents, is_timeless=not mentions_date(job))


def job_problems(
    gateway: Gateway, job: Job, agents: Collection[str] | None, left: Collection[SubTask]
) -> list[Issue]:
    """Return the problems of the sub-tasks in `left`, with the current tools and with `agents`.

    If `left` are not all sub-tasks, the job was valid before some of them were changed.

    Raises:
        Refusal: no running executor has a tool that they need.
    """
    tools = gateway.catalogue.published()
    called = {task.tool_or_prompt.name for task in left if not task.is_inference}
    if (unknown := (called | set(job.approvals)) - tools.keys()) and not gateway.executors.alive():
        hint = did_you_mean(min(unknown), tools)
        raise _missing(f"no executor is running, and none has published {_named(unknown)}{hint}")
    only = None if left is job.sub_tasks else {task.id for task in left}
    found = problems(job, tools, agents=agents, only=only)
    if not found and (away := called - {spec.name for spec in gateway.catalogue.all()}):
        raise _missing(f"no running executor has {_named(away)}")
    return found


async def agents_for(gateway: Gateway, left: Iterable[SubTask]) -> frozenset[str] | None:
    """Return the names of all active agents, or None if the sub-tasks in `left` need no agent.

    Raises:
        Refusal: a default agent that they need does not exist yet.
    """
    asked = {task.tool_or_prompt.name for task in left if task.is_inference}
    if not asked:
        return None
    agents = await gateway.agents_current()
    for name in filter(agents.awaits, sorted(asked)):
        raise no_such_agent(400, f"there is no active agent {name!r}", name, agents)
    return agents.names()


def _missing(problem: str) -> Refusal:
    """Return the refusal of a job that needs another executor."""
    return Refusal(503, f"{problem}: start an executor that has it, and try again", retry_after=1)


def _named(tools: Collection[str]) -> str:
    names = ", ".join(repr(name[:80]) for name in sorted(tools)[:MOST_NAMED])
    return f"the tools {names}" if len(tools) > 1 else f"the tool {names}"


async def _is_current(gateway: Gateway, approval: Approval) -> bool:
    """Whether the tools and agents are the same as when `approval` was given."""
    agents = None if approval.agents is None else (await gateway.agents_current()).names()
    return agents == approval.agents and gateway.catalogue.revision == approval.tools


def _invalid(found: list[dict[str, Json]], path: tuple[str, ...]) -> Refusal:
    placed = [{**issue, "path": [*path, *issue["path"]]} for issue in found]
    return Refusal(400, INVALID_BODY, validation_errors=placed)
