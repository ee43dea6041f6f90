"""Validation of the steps that a fork runs, against the current tools, agents and models."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.api.forks import ForkRun
from contracts.core.event import Event, Json
from contracts.domain import run
from contracts.domain.issues import Issue, Path
from contracts.domain.plan import Job
from contracts.domain.plan.actions import Actions
from contracts.domain.run import RUN
from gateway.api.executions.jobs import agents_for, job_problems
from gateway.api.runs.models import goal_run_model_problem, run_model_problem
from gateway.api.unknown_agents import no_such_agent
from gateway.gateway import Gateway
from gateway.http.errors import INVALID_BODY, Refusal

_FIELDS: dict[Path, str] = {("tool_or_prompt", "params"): "params", ("tool_or_prompt", "name"): "agent"}
"""Paths in a sub-task, and in the changes of a step."""


def agent_named(gateway: Gateway, name: str | None, *, as_id: bool) -> str | None:
    """Return the name or the id of the active agent that a fork names, or None.

    Raises:
        Refusal: there is no active agent with this name.
    """
    if name is None:
        return None
    entry = gateway.agents.active(name)
    if entry is None:
        raise no_such_agent(400, f"agent: there is no active agent {name[:100]!r}", name, gateway.agents)
    return entry.id if as_id else name


async def require_executable(gateway: Gateway, events: Sequence[Event], wanted: ForkRun) -> None:
    """Raise Refusal unless the steps that the fork runs can be executed."""
    match events:
        case [run.Requested() as request, run.Inherited() as inherited]:
            await _require_plan(gateway, request, inherited, wanted)
        case [run.GoalRequested() as request, run.Inherited()]:
            _require_calls(gateway, RUN.fold(events), wanted)
            _require_model(goal_run_model_problem(gateway, request), wanted)


async def _require_plan(
    gateway: Gateway, request: run.Requested, inherited: run.Inherited, wanted: ForkRun
) -> None:
    kept = {one.step for one in inherited.steps}
    left = [task for task in request.job.sub_tasks if task.id not in kept]
    agents = await agents_for(gateway, left)
    if found := job_problems(gateway, request.job, agents, left):
        raise _invalid([_placed(one, request.job) for one in found])
    _require_model(run_model_problem(gateway, request, left), wanted)


def _require_model(problem: str | None, wanted: ForkRun) -> None:
    """Raise Refusal if there is a problem with the model that the fork asks for, or with the settings."""
    if problem and wanted.provider:
        raise Refusal(400, f"provider: {problem}")
    if problem:
        raise Refusal(503, problem)


def _require_calls(gateway: Gateway, fork: run.State, wanted: ForkRun) -> None:
    """Raise Refusal if changed parameters of a tool call are invalid."""
    for id_, change in (wanted.steps or {}).items():
        if change.params is None or id_ not in fork.graph.steps:
            continue
        found = Actions(gateway.catalogue.published(), None).problems(fork.graph.steps[id_].task)
        if placed := [Issue(("steps", id_, *_in_step(path)), message) for path, message in found]:
            raise _invalid(placed)


def _placed(issue: Issue, job: Job) -> Issue:
    """The issue at its path in the request for the fork."""
    if len(issue.path) == 1:
        return issue
    return Issue(("steps", job.sub_tasks[int(issue.path[1])].id, *_in_step(issue.path[2:])), issue.message)


def _in_step(path: Path) -> Path:
    for inside, named in _FIELDS.items():
        if path[: len(inside)] == inside:
            return (named, *path[len(inside) :])
    return path


def _invalid(found: Sequence[Issue]) -> Refusal:
    errors: list[Json] = [one.as_json() for one in found]
    return Refusal(400, INVALID_BODY, validation_errors=errors)
