"""Validation of a job before it is executed: its graph, its tools and their parameters.

The messages are for the author of the job, a model or a person: they say what to change.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import islice

from contracts.core.tool import ToolSpec
from contracts.domain.issues import Issue
from contracts.domain.plan.actions import Actions
from contracts.domain.plan.job import NO_DEPENDENCY, Job, SubTask
from contracts.domain.plan.placeholders import compact, find, id_key, misspelt

MAX_STEPS = 2000
"""Maximum number of sub-tasks of one job."""
MAX_PROBLEMS = 100
"""Maximum number of problems in one answer."""

_MAX_SHOWN = 20
"""Maximum number of ids that a message about a cycle shows."""

_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_RESERVED = frozenset({"__SYNTHESIS__", NO_DEPENDENCY})


def problems(
    job: Job,
    tools: Mapping[str, ToolSpec] | None,
    *,
    agents: Collection[str] | None = None,
    only: Collection[str] | None = None,
) -> list[Issue]:
    """The problems of `job`, at most MAX_PROBLEMS; none if it can be executed.

    `tools`, `agents`: what the job may use; None: any. `only`: the sub-tasks that may have changed in a job
    that was valid, by id; None: all.
    """
    count = len(job.sub_tasks)
    if count == 0:
        return [Issue(("sub_tasks",), "there is nothing to do: give at least one sub-task")]
    if count > MAX_STEPS:
        return [too_many_steps(count)]
    actions = Actions(tools, agents)
    found = _problems(job, actions) if only is None else _problems_of(job, actions, only)
    return list(islice(found, MAX_PROBLEMS))


def too_many_steps(count: int) -> Issue:
    """The issue of a job with more than MAX_STEPS sub-tasks."""
    message = f"{count} sub-tasks are too many: give at most {MAX_STEPS}, or split the job"
    return Issue(("sub_tasks",), message)


def _problems(job: Job, actions: Actions) -> Iterator[Issue]:
    yield from _id_problems(job)
    yield from _dependency_problems(job)
    for path, message in actions.approval_problems(job.approvals):
        yield Issue(path, message)
    yield from _problems_of(job, actions, {task.id for task in job.sub_tasks})


def _problems_of(job: Job, actions: Actions, only: Collection[str]) -> Iterator[Issue]:
    """The problems of some sub-tasks: their actions, and the results that they use."""
    for n, task in enumerate(job.sub_tasks):
        if task.id in only:
            for path, message in actions.problems(task):
                yield Issue(("sub_tasks", n, *path), message)
    changed = [task for task in job.sub_tasks if task.id in only]
    if len(changed) == len(job.sub_tasks) or any(map(_mentions_results, changed)):
        yield from _order_problems(job, only)


def _id_problems(job: Job) -> Iterator[Issue]:
    seen: dict[str, str] = {}
    for n, task in enumerate(job.sub_tasks):
        path = ("sub_tasks", n, "id")
        if not _ID.fullmatch(task.id):
            yield Issue(path, f"{task.id[:80]!r} is not a valid id: use 1 to 64 of A-Z a-z 0-9 _ . -")
        elif task.id in _RESERVED:
            yield Issue(path, f"the id {task.id!r} is reserved: choose another")
        elif id_key(task.id) in seen:
            first = seen[id_key(task.id)]
            yield Issue(
                path, f"the id {task.id!r} is taken by an earlier sub-task ({first!r}): choose another"
            )
        seen.setdefault(id_key(task.id), task.id)


def _dependency_problems(job: Job) -> Iterator[Issue]:
    ids = {task.id for task in job.sub_tasks}
    for n, task in enumerate(job.sub_tasks):
        for i, dependency in enumerate(task.needs):
            path = ("sub_tasks", n, "dependencies", i)
            if dependency not in ids:
                yield Issue(
                    path, f"no sub-task has the id {dependency[:80]!r}: name one that exists, or 'none'"
                )
            elif dependency == task.id:
                yield Issue(path, f"sub-task {task.id!r} cannot depend on itself")


def _order_problems(job: Job, only: Collection[str]) -> Iterator[Issue]:
    ids = {task.id for task in job.sub_tasks}
    graph = {task.id: [d for d in task.needs if d in ids and d != task.id] for task in job.sub_tasks}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        yield Issue(("sub_tasks",), _circle(error.args[1]))
        return
    yield from _placeholder_problems(job, _Ancestry(graph, order), only)


def _circle(cycle: Sequence[str]) -> str:
    shown = list(reversed(cycle))
    if len(shown) > _MAX_SHOWN:
        shown[_MAX_SHOWN - 1 : -1] = ["…"]
    return (
        f"sub-tasks wait for each other in a circle ({' → '.join(shown)}): remove one of these dependencies"
    )


class _Ancestry:
    """The ancestors of every sub-task, as bit sets: cheap even for thousands of sub-tasks."""

    def __init__(self, graph: Mapping[str, Sequence[str]], order: Sequence[str]) -> None:
        self._bit = {task_id: 1 << n for n, task_id in enumerate(order)}
        self._before: dict[str, int] = {}
        for task_id in order:
            before = 0
            for dependency in graph[task_id]:
                before |= self._before[dependency] | self._bit[dependency]
            self._before[task_id] = before

    def is_before(self, earlier: str, later: str) -> bool:
        return bool(self._before[later] & self._bit[earlier])


def _mentions_results(task: SubTask) -> bool:
    """Whether the parameters may have placeholders, correct or misspelt."""
    text = compact(task.tool_or_prompt.params).casefold()
    return "task" in text or "step" in text


def _placeholder_problems(job: Job, ancestry: _Ancestry, only: Collection[str]) -> Iterator[Issue]:
    exact = {id_key(task.id): task.id for task in job.sub_tasks}
    for n, task in enumerate(job.sub_tasks):
        if task.id not in only:
            continue
        path = ("sub_tasks", n, "tool_or_prompt", "params")
        for written in sorted(misspelt(task.tool_or_prompt.params, exact)):
            yield Issue(
                path,
                f"{written} is not a valid placeholder: write <Result of Task ID>, one for each task",
            )
        for named in sorted(find(task.tool_or_prompt.params)):
            source = exact.get(id_key(named))
            if source is None:
                yield Issue(
                    path, f"a placeholder names task {named!r}, which does not exist: name an existing id"
                )
            elif not ancestry.is_before(source, task.id):
                yield Issue(path, f"a placeholder uses the result of {source!r}: add it to the dependencies")
