"""The prompts of inference steps and of the report.

All results in a prompt share a maximum size. If they do not fit, the longest results are cut to the same
length, with a note. A result is shown once: in the instruction if it has a placeholder there, else in the
dependencies.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from contracts.core.event import Json
from contracts.core.untrusted import NOTICE, as_data
from contracts.domain.plan import Job, SubTask
from contracts.domain.plan.placeholders import SYNTAX, Resolver, compact, id_in, id_key, map_texts
from contracts.domain.run.steps import as_text

STEP_CHARS = 100_000
"""Maximum characters of all results in the prompt of an inference step."""
REPORT_CHARS = 200_000
"""Maximum characters of all results in the prompt of the report."""

IN_THE_INSTRUCTION = "(its result stands in the instruction below)"

SYNTHESIS_SYSTEM = (
    "You merge the results of several tasks into one answer. Write well-structured Markdown: keep every "
    "fact, name and figure that matters, resolve contradictions openly, cite the sources the results name, "
    "and add nothing of your own."
)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Cuts results that share a maximum size."""

    limit: int | None
    """Characters to which long results are cut; None: no result is cut."""

    @classmethod
    def fitting(cls, lengths: Iterable[int], room: int) -> Excerpt:
        """The excerpt for results of these lengths, within `room` characters."""
        ascending = sorted(lengths)
        for n, length in enumerate(ascending):
            share = room // (len(ascending) - n)
            if length > share:
                return cls(share)
            room -= length
        return cls(None)

    def of(self, text: str) -> str:
        """The shown part of `text`."""
        return text if self.limit is None or len(text) <= self.limit else f"{text[: self.limit]}…"

    def notes(self) -> list[str]:
        """The note for the model."""
        if self.limit is None:
            return []
        said = f"results longer than {self.limit} characters are cut to that length and end in “…”"
        return [f"(Note: {said}.)"]


@dataclass(frozen=True, slots=True)
class Marked:
    """The result of a task, cut and marked as data."""

    task_id: str
    result: Json
    excerpt: Excerpt

    @property
    def text(self) -> str:
        """The result as text for a model."""
        return as_data(self.excerpt.of(as_text(self.result)), f"Task {self.task_id}")

    def compact(self) -> str:
        """The result as text inside an instruction."""
        return as_data(self.excerpt.of(compact(self.result)), f"Task {self.task_id}")


def instruction_of(task: SubTask) -> Json:
    """The instruction of an inference step, with its placeholders."""
    return task.tool_or_prompt.params.get("prompt") or task.description


def inference_prompt(job: Job, task: SubTask, needs: Sequence[str], results: Mapping[str, Json]) -> str:
    """The user message of an inference step: the goal as context, then the instruction.

    `results`: the results of its dependencies, and of all other steps in its placeholders.
    """
    number = next((n for n, other in enumerate(job.sub_tasks, 1) if other.id == task.id), 0)
    given = instruction_of(task)
    asked_for = Counter(id_key(id_in(match)) for match in SYNTAX.finditer(compact(given)))
    inserted = {id_key(id_): len(compact(result)) for id_, result in results.items()}
    beside = {need: as_text(results[need]) for need in needs if id_key(need) not in asked_for}
    lengths = [inserted[key] for key in asked_for.elements() if key in inserted]
    excerpt = Excerpt.fitting([*lengths, *map(len, beside.values())], STEP_CHARS)
    marked = {id_: Marked(id_, result, excerpt) for id_, result in results.items()}
    insert = Resolver(marked, Marked.compact).text
    dependencies = (
        f"[Task {need}]: {marked[need].text if need in beside else IN_THE_INSTRUCTION}" for need in needs
    )
    blocks = [
        "You are doing one sub-task of a bigger workflow.",
        *([NOTICE] if results else []),
        *excerpt.notes(),
        _section("Global Context", _context(job)),
        _section(f"Current Task [{number}/{len(job.sub_tasks)}]", _task(task)),
        _section("Dependencies", "\n\n".join(dependencies) or "None"),
        _section("Instruction", compact(map_texts(given, insert))),
        "Answer with the expected output only, consistent with the context above.",
    ]
    return "\n\n".join(blocks)


def synthesis_prompt(job: Job, results: Mapping[str, Json]) -> str:
    """The user message of the synthesis: the synthesis plan, then all results."""
    texts = {id_: as_text(result) for id_, result in results.items()}
    excerpt = Excerpt.fitting(map(len, texts.values()), REPORT_CHARS)
    shown = [f"Task {id_} result:\n{as_data(excerpt.of(text), f'Task {id_}')}" for id_, text in texts.items()]
    plan = job.synthesis_plan or "Put the results together into one answer to the request."
    blocks = [f"Request: {job.original_request}", plan, NOTICE, *excerpt.notes(), *shown]
    return "\n\n".join([*blocks, "Write the final report in Markdown."])


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


def _section(title: str, body: str) -> str:
    return f"# {title}\n{body}"
