"""Jobs that are to be executed: whether they can be, here and now."""

from __future__ import annotations

from pydantic import ValidationError

from contracts.event import Json
from contracts.issues import issues
from contracts.plan import Job, dated, problems
from gateway.endpoint import INVALID_BODY
from gateway.errors import Refusal
from gateway.gateway import Gateway


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


async def executable(gateway: Gateway, job: Job, *path: str) -> Job:
    """`job` with today's date in it, fit to be executed with the tools, agents and model there are.

    Raises:
        Refusal: it cannot be executed.
        Unavailable: the agents could not be read.
    """
    tools = {spec.name: spec for spec in gateway.catalogue.all()}
    infers = any(task.is_inference for task in job.sub_tasks)
    if not tools and not all(task.is_inference for task in job.sub_tasks):
        raise Refusal(503, "No executor has told its tools yet: start one and try again", retry_after=1)
    agents = (await gateway.agents_current()).names() if infers else None
    if found := problems(job, tools, agents=agents):
        raise _invalid([one.as_json() for one in found], path)
    if infers and (problem := gateway.llm_problem()):
        raise Refusal(503, problem)
    return dated(job, gateway.clock().astimezone())


def _invalid(found: list[dict[str, Json]], path: tuple[str, ...]) -> Refusal:
    placed = [{**issue, "path": [*path, *issue["path"]]} for issue in found]
    return Refusal(400, INVALID_BODY, validation_errors=placed)
