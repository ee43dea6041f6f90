"""What a terminal knows of a run: its steps, kept current by the events of its stream.

Executions and runs of goals differ in the names of their events and of their steps, and in where they begin:
an execution is read with its steps and goes on from there, a run of a goal is made of all its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from contracts.api.executions import ExecutionDetail, SubStepRow
from contracts.api.runs import RunRow
from contracts.client import ExecutionEvent, RunEvent
from contracts.domain.run.steps import SYNTHESIS

REPORT = "report"
"""The name of the synthesis for people."""
ANSWER = "the answer below"
"""Stands beside the turn of an agent whose text is the report."""

Event = ExecutionEvent | RunEvent


class State(StrEnum):
    """Where a step stands."""

    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DONE = "done"
    TROUBLED = "done, with failed calls"
    FAILED = "failed"


COMPLETED = "completed"
OVER = frozenset({COMPLETED, "failed", "partial", "suspended", "deleted"})
_IN_PROGRESS = frozenset({State.RUNNING, State.RETRYING})
_FINISHED = frozenset({State.DONE, State.TROUBLED})
_STATES = {
    "pending": State.WAITING,
    "running": State.RUNNING,
    "waiting": State.RETRYING,
    "completed": State.DONE,
    "failed": State.FAILED,
}
REMARKS = {
    "budget_exhausted": "its turns were used up before the agent was done",
    "truncated": "its last answer was cut short by max_tokens or a content filter",
    "calls_failed": "a tool call failed and was not made up for",
    "nothing_done": "none of the tool calls that the agent asked for was made",
}
"""What is said of a completed run that may not have done what it was told, by its outcome reason."""
_SUBJECTS = {"execution": "run", "substep": "step"}
"""The subjects of events of executions, by the names that runs of goals have for them."""


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


class RunProgress:
    """One run, as an execution or as a run of a goal."""

    def __init__(self, id_: str, title: str, status: str, rows: Iterable[Row] = ()) -> None:
        self.id = id_
        self.title = title
        self.status = status
        self.report: str | None = None
        self.problem: str | None = None
        """Why the run has not completed, or what went wrong although it has."""
        self.took_ms: int | None = None
        self.rows = {row.id: row for row in rows}
        self.failed_calls: list[str] = []
        """The errors of tool calls that failed for good."""
        self.news = 0
        """How many events were understood."""
        self._read_at = 0
        """Stream sequence at which the run was read: endings before it were not the last one."""
        self._began_ms = 0
        self._handlers: Mapping[str, Callable[[Any], str | None]] = {
            "run.created": self._created,
            "run.updated": self._updated,
            "run.asks": self._asks,
            "run.resumed": self._resumed,
            "run.completed": self._completed,
            "run.failed": self._ended,
            "run.suspended": self._ended,
            "run.deleted": self._ended,
            "step.started": self._step_started,
            "step.thought": self._step_thought,
            "step.completed": self._step_completed,
            "step.retrying": self._step_retrying,
            "step.failed": self._step_failed,
            "call.started": self._call_started,
            "call.retrying": self._call_retrying,
            "call.failed": self._call_failed,
            "tool.progress": self._tool_progress,
        }

    @classmethod
    def of_execution(cls, execution: ExecutionDetail) -> RunProgress:
        """An execution as it was read; it takes the events after that."""
        title = execution.dag_title or execution.original_request
        progress = cls(execution.id, title, execution.status, map(_row, execution.sub_steps))
        progress.report = execution.final_result
        progress.problem = execution.suspended_reason or execution.cancelled_reason
        progress.took_ms = execution.duration_ms
        return progress

    @classmethod
    def of_goal_run(cls, run: RunRow) -> RunProgress:
        """A run of a goal; it takes all events from the first one on."""
        progress = cls(run.id, run.goal.objective, "pending")
        progress._read_at = run.seq
        return progress

    def take(self, event: Event) -> str | None:
        """Take an event; what it says as one line, if that is worth showing."""
        subject, _, what = event.type.partition(".")
        handler = self._handlers.get(f"{_SUBJECTS.get(subject, subject)}.{what}")
        self.news += handler is not None
        return handler(event) if handler else None

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens unless somebody resumes it."""
        return self.status in OVER

    @property
    def is_completed(self) -> bool:
        """Whether every step and the report are done."""
        return self.status == COMPLETED

    @property
    def is_at_work(self) -> bool:
        """Whether a step runs or waits for another attempt."""
        return any(row.state in _IN_PROGRESS for row in self.rows.values())

    @property
    def done(self) -> int:
        """How many steps are done, the report among them."""
        return sum(row.state in _FINISHED for row in self.rows.values())

    def _step(self, event: Event) -> Row:
        if isinstance(event, RunEvent):
            id_ = str(event.step_no)
        else:
            id_ = REPORT if event.sub_step_id == SYNTHESIS else event.sub_step_id or ""
        return self.rows.setdefault(id_, Row(id_, event.description or "", ""))

    # ── the run ─────────────────────────────────────────────────────────────────────────────────────────

    def _created(self, event: Event) -> str:
        self._began_ms = event.timestamp
        return f"requested: {self.title}"

    def _updated(self, event: Event) -> None:
        if event.status in {"pending", "running"}:  # an ending has an event of its own
            self.status = event.status

    def _asks(self, event: RunEvent) -> str:
        self.problem = event.question
        return f"{event.question} Answer with: async-agent dags clarify {event.dag_id} …"

    def _resumed(self, _: Event) -> str:
        self.status, self.problem = "pending", None
        for row in self.rows.values():
            if row.state not in _FINISHED:
                row.state, row.note = State.WAITING, ""
        return "resumed"

    def _completed(self, event: Event) -> str:
        self.status, self.problem = COMPLETED, self._trouble(event)
        self.report = event.summary if isinstance(event, RunEvent) else event.final_result
        for row in self.rows.values():
            if self.report and row.what == self.report.strip():
                row.what = ANSWER
        own = event.duration_ms if isinstance(event, ExecutionEvent) else None
        self.took_ms = event.timestamp - self._began_ms if own is None else own
        return f"completed in {seconds(self.took_ms)}" + (f", but {self.problem}" if self.problem else "")

    def _trouble(self, event: Event) -> str | None:
        """What went wrong in a run that has completed."""
        remark = REMARKS.get((isinstance(event, RunEvent) and event.outcome_reason) or "")
        if not self.failed_calls:
            return remark
        *others, last = self.failed_calls
        number = f"{len(others) + 1} tool calls failed, the last one" if others else "a tool call failed"
        return f"{remark}; {number}: {last}" if remark else f"{number}: {last}"

    def _ended(self, event: Event) -> str | None:
        if event.seq is not None and event.seq < self._read_at:
            return None
        self.status = event.type.partition(".")[2]
        self.problem = event.reason or event.error or self.status
        for row in self.rows.values():
            if row.state in _IN_PROGRESS:
                row.state = State.WAITING
        return f"{self.status}: {self.problem}"

    # ── its steps ───────────────────────────────────────────────────────────────────────────────────────

    def _step_started(self, event: Event) -> str:
        row = self._step(event)
        row.state, row.since_ms, row.note = State.RUNNING, event.timestamp, ""
        row.starts = (isinstance(event, RunEvent) and event.attempt) or row.starts + 1
        again = f" again (start {row.starts})" if row.starts > 1 else ""
        return f"{row.id} started{again}" + (f": {row.what}" if row.what else "")

    def _step_thought(self, event: RunEvent) -> str | None:
        row = self._step(event)
        row.what = (event.thought or "").strip()
        for call in event.calls or ():
            if call.get("error"):
                self._note_failed_call(row, call["toolName"], call["error"])
        if event.calls == []:  # the report, as a rule, which is shown whole at the end
            return f"{row.id} answers"
        return f"{row.id} thinks: {row.what}" if row.what else None

    def _step_completed(self, event: Event) -> str:
        row = self._step(event)
        row.state = State.TROUBLED if row.state is State.TROUBLED else State.DONE
        row.note = row.note if row.state is State.TROUBLED else event.error or ""
        own = event.duration_ms if isinstance(event, ExecutionEvent) else None
        row.took_ms = event.timestamp - row.since_ms if own is None else own
        return f"{row.id} done in {seconds(row.took_ms)}"

    def _step_retrying(self, event: Event) -> str:
        row = self._step(event)
        row.state, row.note = State.RETRYING, event.error or ""
        return f"{row.id} failed and will be tried again: {row.note}"

    def _step_failed(self, event: Event) -> str:
        row = self._step(event)
        row.state, row.note = State.FAILED, event.error or ""
        return f"{row.id} failed: {row.note}"

    def _call_started(self, event: RunEvent) -> str:
        row = self._step(event)
        row.who = event.tool_name or ""
        return f"{row.id} calls {row.who}"

    def _call_retrying(self, event: RunEvent) -> str:
        row = self._step(event)
        row.note = f"{event.tool_name}: {event.error}"
        return f"{row.id} {row.note}"

    def _call_failed(self, event: RunEvent) -> str:
        row = self._step(event)
        self._note_failed_call(row, event.tool_name or "", event.error or "")
        return f"{row.id} {row.note}"

    def _note_failed_call(self, row: Row, tool: str, error: str) -> None:
        row.state, row.note = State.TROUBLED, f"{tool}: {error}"
        self.failed_calls.append(row.note)

    def _tool_progress(self, event: Event) -> None:
        self._step(event).note = event.message or ""


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
