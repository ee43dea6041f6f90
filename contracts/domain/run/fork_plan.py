"""The fork of a run of a plan. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from contracts.core.event import Json
from contracts.domain.plan import Job, SubTask
from contracts.domain.run.events import ForkedFrom, Requested
from contracts.domain.run.fork_changes import (
    Changes,
    Given,
    InvalidFork,
    StepChange,
    budget_of,
    inherited_output,
    require_settled,
    resolved,
)
from contracts.domain.run.fork_events import Inherited, InheritedStep
from contracts.domain.run.state import State
from contracts.domain.run.steps import SYNTHESIS, Graph

FOR_AGENTS = ("instruction", "step_budget")
"""Changes that only goal runs by an agent have."""


def fork_plan(
    state: State, request: Requested, changes: Changes, origin: ForkedFrom
) -> tuple[Requested, Inherited]:
    """The first events of a fork: it inherits every completed step that is not downstream of a change.

    Raises:
        InvalidFork: the changes do not fit the run.
    """
    _require_for_plan(changes)
    steps = {resolved(("steps", id_), id_, state.graph.steps): one for id_, one in changes.steps.items()}
    for id_, change in steps.items():
        _require_fitting(id_, change, state.graph)
    start = tuple(resolved(("from",), id_, state.graph.steps) for id_ in changes.start)
    given = {id_: one.result for id_, one in steps.items() if one.result}
    if both := sorted(given.keys() & set(start)):
        raise InvalidFork(
            ("steps", both[0], "result"), "a step with a given result does not run: leave it out of from"
        )
    again = {*start, *(steps.keys() - given)}
    if not (start or steps):
        again = _inferences(state.graph, changes)
    dirty = _downstream(state.graph, again, given)
    _require_effect(state, changes, dirty)
    kept = {id_ for id_ in state.graph.tasks if id_ in given or (id_ in state.done and id_ not in dirty)}
    require_settled(state, state.graph.steps.keys() - kept)
    named = tuple(id_ for id_ in state.graph.steps if id_ in again or id_ in given)
    job = _changed(request.job, steps, changes.agent, kept)
    wanted = {
        "job": job.model_copy(update={"budget": budget_of(state, changes)}),
        "trigger": "api",
        "provider": changes.provider or request.provider,
        "model": changes.model or request.model,
        "forked_from": origin.model_copy(update={"steps": named}),
        "planning": None,
        "paid_by": None,
    }
    in_order = [id_ for id_ in state.graph.tasks if id_ in kept]
    inherited = tuple(_inherited(state, id_, given) for id_ in in_order)
    untrusted = tuple(id_ for id_ in in_order if id_ in state.untrusted and id_ not in given)
    return request.model_copy(update=wanted), Inherited(steps=inherited, untrusted=untrusted)


def _require_for_plan(changes: Changes) -> None:
    for name in FOR_AGENTS:
        if getattr(changes, name) is not None:
            path = "stepBudget" if name == "step_budget" else name
            raise InvalidFork((path,), "only a run by an agent has one: change a step of the plan in steps")


def _require_fitting(id_: str, change: StepChange, graph: Graph) -> None:
    """Raises InvalidFork if a change does not fit its step."""
    named, task = change.named(), graph.steps[id_].task
    if not named:
        raise InvalidFork(("steps", id_), "say what changes: give params, instruction, agent or result")
    if change.result and len(named) > 1:
        raise InvalidFork(
            ("steps", id_, "result"), "a step with a given result does not run: give the result alone"
        )
    if id_ == SYNTHESIS and named != ("instruction",):
        raise InvalidFork(("steps", id_), "of the report, only the instruction can change")
    for name in ("agent", "instruction"):
        if name in named and not task.is_inference:
            tool = task.tool_or_prompt.name
            raise InvalidFork(
                ("steps", id_, name), f"the step calls the tool {tool}: change its params instead"
            )


def _require_effect(state: State, changes: Changes, dirty: set[str]) -> None:
    """Raises InvalidFork if the fork would repeat the run exactly."""
    if changes.is_empty and all(id_ in state.done for id_ in state.graph.steps):
        advice = "say what changes (steps, agent, model) or from which step it runs again (from)"
        raise InvalidFork((), f"every step is completed: {advice}")
    concerned = dirty - {SYNTHESIS} if changes.agent else dirty
    if changes.names_model and not any(state.graph.steps[id_].task.is_inference for id_ in concerned):
        raise InvalidFork(("from",), "no inference runs again: name one in from")


def _inferences(graph: Graph, changes: Changes) -> set[str]:
    """The steps that a change of the agent or model of all inferences concerns."""
    if not changes.names_model:
        return set()
    return {id_ for id_, step in graph.steps.items() if step.task.is_inference}


def _downstream(graph: Graph, again: Iterable[str], given: Collection[str]) -> set[str]:
    """The steps of `again`, and all that use their results or the given ones. Always includes the report."""
    dirty = {SYNTHESIS}
    waiting = [*again, *(id_ for one in given for id_ in graph.dependents.get(one, ()))]
    while waiting:
        id_ = waiting.pop()
        if id_ not in dirty and id_ not in given:
            dirty.add(id_)
            waiting.extend(graph.dependents.get(id_, ()))
    return dirty


def _inherited(state: State, id_: str, given: Mapping[str, Given]) -> InheritedStep:
    if id_ in given:
        return InheritedStep(id_, given[id_].value, given=True)
    return InheritedStep(id_, state.done[id_], output=inherited_output(state.outputs_by_step.get(id_)))


def _changed(job: Job, steps: Mapping[str, StepChange], agent: str | None, kept: Collection[str]) -> Job:
    report = steps.get(SYNTHESIS)
    tasks = tuple(
        task if task.id in kept else _changed_task(task, steps.get(task.id, StepChange()), agent)
        for task in job.sub_tasks
    )
    plan = report.instruction if report and report.instruction is not None else job.synthesis_plan
    return job.model_copy(update={"sub_tasks": tasks, "synthesis_plan": plan})


def _changed_task(task: SubTask, change: StepChange, agent: str | None) -> SubTask:
    call = task.tool_or_prompt
    params: dict[str, Json] = dict(call.params if change.params is None else change.params)
    if change.instruction is not None:
        params["prompt"] = change.instruction
    name = (change.agent or agent or call.name) if task.is_inference else call.name
    if (name, params) == (call.name, call.params):
        return task
    changed = call.model_copy(update={"name": name, "params": params})
    return task.model_copy(update={"tool_or_prompt": changed})
