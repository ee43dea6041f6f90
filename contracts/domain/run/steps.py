"""The steps of a run as a graph: the sub-tasks of a job, and the synthesis after all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import orjson

from contracts.core.event import BlobRef, Json
from contracts.domain.plan import Job, SubTask
from contracts.domain.plan.placeholders import id_key

SYNTHESIS = "__SYNTHESIS__"
"""Id of the last step of every run of a plan. It makes the report."""


class Step(NamedTuple):
    """One node: a sub-task, or the synthesis if `task` has the id SYNTHESIS."""

    task: SubTask
    needs: tuple[str, ...]

    def with_params(self, params: Mapping[str, Json]) -> Step:
        """The step with other parameters of its tool call."""
        call = self.task.tool_or_prompt.model_copy(update={"params": dict(params)})
        return Step(self.task.model_copy(update={"tool_or_prompt": call}), self.needs)


@dataclass(frozen=True, slots=True)
class Graph:
    """Steps by id in the order of the plan, and their dependents. Acyclic, because the plan is validated."""

    steps: Mapping[str, Step] = field(default_factory=dict)
    dependents: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roots: tuple[str, ...] = ()
    """Steps without dependencies."""

    @property
    def tasks(self) -> tuple[str, ...]:
        """Ids of all steps except the synthesis."""
        return tuple(step for step in self.steps if step != SYNTHESIS)

    @property
    def sinks(self) -> tuple[str, ...]:
        """Steps whose results no other step uses."""
        return tuple(step for step in self.tasks if self.dependents.get(step) == (SYNTHESIS,))

    def id_of(self, written: str) -> str:
        """The id of the step that `written` names, where 1, 01 and 001 are the same; `written` if none."""
        if written in self.steps:
            return written
        return next((id_ for id_ in self.steps if id_key(id_) == id_key(written)), written)

    def freed_by(self, step: str, done: Mapping[str, Json]) -> tuple[str, ...]:
        """Steps that can start because `step`, the newest in `done`, has completed."""
        steps = self.steps
        return tuple(
            dependent
            for dependent in self.dependents.get(step, ())
            if len(steps[dependent].needs) <= len(done) and done.keys() >= {*steps[dependent].needs}
        )


def synthesis_of(job: Job) -> SubTask:
    """The task of the last step of a run of `job`. It depends on all others."""
    return SubTask.synthesis(SYNTHESIS, job.synthesis_plan, tuple([task.id for task in job.sub_tasks]))


def graph_of(job: Job) -> Graph:
    """The graph of a valid job, with the synthesis as its last step."""
    steps = {task.id: Step(task, task.needs) for task in job.sub_tasks}
    synthesis = synthesis_of(job)
    roots = tuple(id_ for id_, step in steps.items() if not step.needs)
    steps[SYNTHESIS] = Step(synthesis, synthesis.dependencies)
    dependents: dict[str, list[str]] = {}
    for id_, step in steps.items():
        for need in step.needs:
            dependents.setdefault(need, []).append(id_)
    return Graph(steps, {id_: tuple(ids) for id_, ids in dependents.items()}, roots)


CHECK_FIRST = "Find out before you call it again"
"""Advice to a model about a tool call with an unknown outcome."""


def unknown_outcome(step: Step, advice: str = "Check, then resume to run it again") -> str:
    """The error of a step that is not repeatable and was in progress when its executor died."""
    return (
        f"the executor died while {step.task.tool_or_prompt.name} was running, so whether it took effect is "
        f"unknown; it is not repeated automatically. {advice}"
    )


def merged(graph: Graph, results: Mapping[str, Json]) -> str:
    """The report of a run without a model: the results that no other step uses, as Markdown."""
    sinks = graph.sinks
    if len(sinks) == 1:
        return as_text(results.get(sinks[0]))
    return "\n\n".join(
        f"## {graph.steps[id_].task.description}\n\n{as_text(results.get(id_))}" for id_ in sinks
    )


def as_text(result: Json) -> str:
    """A result as readable text: text unchanged, any other value as indented JSON."""
    if isinstance(result, str):
        return result
    if ref := BlobRef.of(result):
        return f"({ref.size} bytes of {ref.media_type}, sha256 {ref.blob})"
    return orjson.dumps(result, option=orjson.OPT_INDENT_2).decode()
