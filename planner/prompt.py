"""The prompts of the planner: the agent's prompt, the goal, and the errors of the previous answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

import orjson

from contracts.core.tool import ToolSpec
from contracts.domain.dag import AttemptMade
from contracts.domain.prompts.templates import dates, fill, tool_texts
from planner.reply import Reason

MAX_SHOWN = 16_000
"""Maximum characters of the previous answer in the next question."""


def system(template: str, tools: Sequence[ToolSpec], now: datetime) -> str:
    """The agent's prompt with tools and date filled in. `now`: in the time zone of the DAG."""
    return fill(template, {**dates(now), **tool_texts(tools), "skills": "none"})


def goal(goal_text: str, now: datetime) -> str:
    """The goal with date placeholders filled in."""
    return fill(goal_text, dates(now))


def goal_with_errors(goal: str, last: AttemptMade) -> str:
    """The goal, the errors of the previous answer, and that answer."""
    parts = [goal, *_complaints(last)]
    if last.answer:
        shown = last.answer if len(last.answer) < MAX_SHOWN else f"{last.answer[:MAX_SHOWN]}\n… (cut)"
        parts.append(f"Your earlier answer:\n<<<\n{shown}\n>>>")
    parts.append("Answer with the complete plan again, as one correct ```json block and nothing else.")
    return "\n\n".join(parts)


def _complaints(last: AttemptMade) -> Iterator[str]:
    if last.retry == Reason.UNREADABLE:
        yield f"Your earlier answer could not be read as JSON: {last.error}"
    if last.retry == Reason.INVALID:
        problems = [
            f"- {_place(issue['path'])}: {issue['message']}" for issue in orjson.loads(last.error or "[]")
        ]
        yield "\n".join(["Your earlier plan cannot be executed. Correct all of this:", *problems])
    if last.gaps:
        numbered = [f"{number}. {gap}" for number, gap in enumerate(last.gaps, start=1)]
        yield "\n".join(["Your earlier plan left these gaps. Cover them too:", *numbered])


def _place(path: Iterable[str | int]) -> str:
    place = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path)
    return place.lstrip(".") or "plan"
