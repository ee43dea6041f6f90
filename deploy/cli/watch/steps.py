"""The steps of a run, as `watch` shows them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from contracts.api.executions import SubStepRow
from contracts.domain.run.steps import SYNTHESIS

REPORT = "report"
"""Displayed name of the synthesis."""


class State(StrEnum):
    """State of a step."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    ASKING = "asking a person"
    DONE = "done"
    INHERITED = "inherited"
    TROUBLED = "done, with failed calls"
    FAILED = "failed"


IN_PROGRESS = frozenset({State.RUNNING, State.RETRYING})
FINISHED = frozenset({State.DONE, State.INHERITED, State.TROUBLED})
_STATES = {
    "pending": State.WAITING,
    "running": State.RUNNING,
    "waiting": State.RETRYING,
    "completed": State.DONE,
    "failed": State.FAILED,
}


@dataclass(slots=True)
class Row:
    """One step."""

    id: str
    what: str
    who: str
    """Tool or agent of the step."""
    state: State = State.WAITING
    since_ms: int = 0
    """Time of the last start, in milliseconds since 1970."""
    took_ms: int | None = None
    starts: int = 0
    note: str = ""
    """Progress of the tool, or the error of the step."""


def seconds(ms: int | None) -> str:
    """Format a duration as `12 ms`, `1.5 s` or `2 min 5 s`."""
    if ms is None:
        return "?"
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(round(ms / 1000), 60)
    return f"{minutes} min {rest} s"


def _state_of(step: SubStepRow) -> State:
    if step.inherited:
        return State.INHERITED
    if step.status == "waiting" and step.retry_at is None:
        return State.ASKING
    return _STATES.get(step.status, State.WAITING)


def row_of(step: SubStepRow) -> Row:
    """Convert a step of an answer of the API."""
    is_report = step.task_id == SYNTHESIS
    return Row(
        id=REPORT if is_report else step.task_id,
        what="Put all results together" if is_report else step.description,
        who="" if is_report else step.tool_or_prompt_name,
        state=_state_of(step),
        since_ms=step.started_at or 0,
        took_ms=step.duration_ms if step.status == "completed" else None,
        starts=step.attempt,
        note=step.error or "",
    )
