"""Renumbers the sub-tasks of a job."""

from __future__ import annotations

from contracts.domain.plan.job import Job, SubTask
from contracts.domain.plan.placeholders import id_key, rewrite


def renumber(job: Job) -> Job:
    """`job` with the ids 001, 002, … in the order of its sub-tasks, also in dependencies and placeholders.

    Ids without a sub-task are unchanged.
    """
    keys = dict.fromkeys(id_key(task.id) for task in job.sub_tasks)
    numbers = {key: f"{n:03}" for n, key in enumerate(keys, start=1)}
    tasks = tuple(_renumbered(task, numbers) for task in job.sub_tasks)
    return job.model_copy(update={"sub_tasks": tasks, "synthesis_plan": rewrite(job.synthesis_plan, numbers)})


def _renumbered(task: SubTask, numbers: dict[str, str]) -> SubTask:
    call = task.tool_or_prompt
    return task.model_copy(
        update={
            "id": numbers[id_key(task.id)],
            "description": rewrite(task.description, numbers),
            "thought": rewrite(task.thought, numbers),
            "tool_or_prompt": call.model_copy(update={"params": rewrite(call.params, numbers)}),
            "expected_output": rewrite(task.expected_output, numbers),
            "dependencies": tuple(numbers.get(id_key(d), d) for d in task.dependencies),
        }
    )
