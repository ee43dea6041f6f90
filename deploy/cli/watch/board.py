"""What is known of an execution: its steps, kept current by the events of its stream."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.api.executions import ExecutionDetail, SubStepRow
from contracts.client import ExecutionEvent
from contracts.client.events import StreamEvent
from contracts.domain.run.steps import SYNTHESIS

REPORT = "report"
"""How people call the last step, the synthesis."""


class State(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    FAILED = "failed"


COMPLETED = "completed"
OVER = frozenset({COMPLETED, "failed", "partial", "suspended", "deleted"})
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
    """Its tool or agent."""
    state: State = State.WAITING
    since_ms: int = 0
    """When it was started last, in milliseconds since 1970."""
    took_ms: int | None = None
    starts: int = 0
    note: str = ""
    """What a tool says of its progress, or why the step failed."""

    def retries(self, error: str | None) -> str:
        """Note that it will be tried again, and say so."""
        self.state, self.note = State.RETRYING, error or ""
        return f"{self.id} failed and will be tried again: {self.note}"

    def fails(self, error: str | None) -> str:
        """Note that it has failed for good, and say so."""
        self.state, self.note = State.FAILED, error or ""
        return f"{self.id} failed: {self.note}"


class Progress:
    """Something with steps that goes on to an end."""

    def __init__(self, id_: str, title: str, status: str) -> None:
        self.id = id_
        self.title = title
        self.status = status
        self.report: str | None = None
        self.problem: str | None = None
        """Why it did not complete."""
        self.took_ms: int | None = None
        self.rows: dict[str, Row] = {}
        self.news = 0
        """How many events have told something."""
        self._handlers: Mapping[str, Callable[[Any], str | None]] = {}
        """By type of event."""

    def take(self, event: StreamEvent) -> str | None:
        """Note an event; what it means in one line, if that is worth telling."""
        handler = self._handlers.get(event.type)
        self.news += handler is not None
        return handler(event) if handler else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless somebody resumes it."""
        return self.status in OVER

    @property
    def is_completed(self) -> bool:
        """Whether every step and the report are there."""
        return self.status == COMPLETED

    @property
    def is_at_work(self) -> bool:
        """Whether a step runs, or waits for another try."""
        return any(row.state in {State.RUNNING, State.RETRYING} for row in self.rows.values())

    @property
    def done(self) -> int:
        """How many steps are done, the report among them."""
        return sum(row.state is State.DONE for row in self.rows.values())

    def _row(self, id_: str, event: StreamEvent) -> Row:
        return self.rows.setdefault(id_, Row(id_, event.description or "", ""))

    def _stop_steps(self) -> None:
        for row in self.rows.values():
            if row.state in {State.RUNNING, State.RETRYING}:
                row.state = State.WAITING


class Board(Progress):
    """One execution. Made of how it stood, it goes on with every event of its stream after that."""

    def __init__(self, execution: ExecutionDetail) -> None:
        super().__init__(execution.id, execution.dag_title or execution.original_request, execution.status)
        self.report = execution.final_result
        self.problem = execution.suspended_reason or execution.cancelled_reason
        self.took_ms = execution.duration_ms
        self.rows = {row.id: row for row in map(_row, execution.sub_steps)}
        self._last_end_ms = 0
        self._handlers = {
            "substep.started": self._started,
            "substep.completed": self._completed,
            "substep.retrying": self._retrying,
            "substep.failed": self._failed,
            "tool.progress": self._progress,
            "execution.updated": self._updated,
            "execution.resumed": self._resumed,
            "execution.completed": self._all_completed,
            "execution.suspended": self._ended("suspended"),
            "execution.failed": self._ended("failed"),
            "execution.deleted": self._ended("deleted"),
        }

    def _of(self, event: ExecutionEvent) -> Row:
        return self._row(event.sub_step_id or "", event)

    def _started(self, event: ExecutionEvent) -> str:
        row = self._of(event)
        row.state, row.since_ms, row.note = State.RUNNING, event.timestamp, ""
        row.starts += 1
        again = f" again (start {row.starts})" if row.starts > 1 else ""
        return f"{row.id} started{again}: {row.what}"

    def _completed(self, event: ExecutionEvent) -> str:
        row = self._of(event)
        row.state, row.took_ms, row.note = State.DONE, event.duration_ms, ""
        self._last_end_ms = event.timestamp
        if all(one.state is State.DONE for one in self.rows.values() if one.id != REPORT):
            self._start_report(event.timestamp)
        return f"{row.id} done in {seconds(event.duration_ms)}"

    def _retrying(self, event: ExecutionEvent) -> str:
        return self._of(event).retries(event.error)

    def _failed(self, event: ExecutionEvent) -> str:
        return self._of(event).fails(event.error)

    def _progress(self, event: ExecutionEvent) -> None:
        self._of(event).note = event.message or ""

    def _updated(self, event: ExecutionEvent) -> None:
        self.status = event.status or self.status

    def _resumed(self, _: ExecutionEvent) -> str:
        self.status, self.problem = "pending", None
        for row in self.rows.values():
            if row.state is not State.DONE:
                row.state, row.note = State.WAITING, ""
        return "resumed"

    def _all_completed(self, event: ExecutionEvent) -> str:
        self.status, self.report, self.took_ms = COMPLETED, event.final_result, event.duration_ms
        if row := self.rows.get(REPORT):
            row.state, row.took_ms = State.DONE, event.timestamp - self._last_end_ms
        return f"completed in {seconds(event.duration_ms)}"

    def _ended(self, status: str) -> Callable[[ExecutionEvent], str]:
        def end(event: ExecutionEvent) -> str:
            self.status = status
            self.problem = event.reason or event.error or status
            self._stop_steps()
            return f"{status}: {self.problem}"

        return end

    def _start_report(self, at_ms: int) -> None:
        """No event tells it; it follows the last step at once."""
        if row := self.rows.get(REPORT):
            row.state, row.since_ms = State.RUNNING, at_ms


def seconds(ms: int | None) -> str:
    """`12 ms`, `1.5 s`, `2 min 5 s`."""
    if ms is None:
        return "?"
    if ms < 1000:
        return f"{ms} ms"
    if ms < 60_000:
        return f"{ms / 1000:.1f} s"
    minutes, rest = divmod(round(ms / 1000), 60)
    return f"{minutes} min {rest} s"


def _row(step: SubStepRow) -> Row:
    is_report = step.task_id == SYNTHESIS
    return Row(
        id=REPORT if is_report else step.task_id,
        what="Put all results together" if is_report else step.description,
        who="" if is_report else step.tool_or_prompt_name,
        state=_STATES.get(step.status, State.WAITING),
        since_ms=step.started_at or 0,
        took_ms=step.duration_ms if step.status == "completed" else None,
        starts=step.attempt,
        note=step.error or "",
    )
