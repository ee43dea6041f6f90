"""What a model is told when it does one step, and when it writes the report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from contracts.event import Json
from contracts.plan import Job, SubTask
from contracts.steps import as_text
from contracts.text import cut

DEPENDENCY_CHARS = 20_000
"""Of one result shown to a model that builds on it."""
REPORT_CHARS = 200_000
"""Of all results together shown to the model that writes the report."""

SYNTHESIS_SYSTEM = (
    "You merge the results of several tasks into one answer. Write well-structured Markdown: keep every "
    "fact, name and figure that matters, resolve contradictions openly, cite the sources the results name, "
    "and add nothing of your own."
)


def inference_prompt(job: Job, task: SubTask, instruction: str, results: Mapping[str, Json]) -> str:
    """The user message of an inference step: the whole goal for context, then the one thing to do."""
    number = next((n for n, other in enumerate(job.sub_tasks, 1) if other.id == task.id), 0)
    blocks = [
        "You are doing one sub-task of a bigger workflow.",
        _section("Global Context", _context(job)),
        _section(f"Current Task [{number}/{len(job.sub_tasks)}]", _task(task)),
        _section("Dependencies", _dependencies(results)),
        _section("Instruction", instruction),
        "Answer with the expected output only, consistent with the context above.",
    ]
    return "\n\n".join(blocks)


def synthesis_prompt(job: Job, results: Mapping[str, Json]) -> str:
    """The user message of the synthesis: the plan for it, then all results."""
    share = REPORT_CHARS // max(1, len(results))
    shown = [
        f"Task {id_} result:\n{cut(as_text(result), max(share, 2000))}" for id_, result in results.items()
    ]
    plan = job.synthesis_plan or "Put the results together into one answer to the request."
    return "\n\n".join(
        [f"Request: {job.original_request}", plan, *shown, "Write the final report in Markdown."]
    )


def _context(job: Job) -> str:
    return "\n".join(
        [
            f"**Request:** {job.original_request}",
            f"**Primary Intent:** {job.intent.primary}",
            f"**Sub-intents:** {'; '.join(job.intent.sub_intents) or 'None'}",
            f"**Entities:** {_entities(job)}",
            f"**Synthesis Goal:** {job.synthesis_plan}",
        ]
    )


def _entities(job: Job) -> str:
    lines = [f"\n• {e.entity} ({e.type}): {e.grounded_value}" for e in job.entities]
    return "".join(lines) or "None"


def _task(task: SubTask) -> str:
    return "\n".join(
        [
            f"**Description:** {task.description}",
            f"**Reasoning:** {task.thought}",
            f"**Expected Output:** {task.expected_output}",
        ]
    )


def _dependencies(results: Mapping[str, Json]) -> str:
    return _joined(
        f"[Task {id_}]: {cut(as_text(result), DEPENDENCY_CHARS)}" for id_, result in results.items()
    )


def _joined(blocks: Iterable[str]) -> str:
    return "\n\n".join(blocks) or "None"


def _section(title: str, body: str) -> str:
    return f"# {title}\n{body}"
