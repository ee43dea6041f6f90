"""The progress of a run: its steps, updated by the events of its stream.

Executions and runs of goals have different names of events and steps, and different starts: an execution is
read with its steps and continues with later events. A run of a goal is built from all its events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from contracts.api.executions import ExecutionDetail
from contracts.api.runs import RunRow
from contracts.client import ExecutionEvent, RunEvent
from contracts.domain.run import parse_ask_id
from contracts.domain.run.steps import SYNTHESIS
from deploy.cli.watch.steps import FINISHED, IN_PROGRESS, REPORT, Row, State, row_of, seconds

ANSWER = "the answer below"
"""Shown beside the turn of an agent whose text is the report."""

Event = ExecutionEvent | RunEvent


COMPLETED = "completed"
OVER = frozenset({COMPLETED, "failed", "partial", "suspended", "deleted"})
REMARKS = {
    "budget_exhausted": "its turns were used up before the agent was done",
    "truncated": "its last answer was cut short by max_tokens or a content filter",
    "calls_failed": "a tool call failed and no later call of that tool succeeded",
    "nothing_done": "none of the requested tool calls was made",
}
"""Remarks about completed runs that may have missed their goal, by outcome reason."""
CUT_SHORT = {
    "length": "its answer was cut short by max_tokens (see DEFAULT_MAX_TOKENS)",
    "content_filter": "its answer was cut short by a content filter",
}
"""Remarks about steps whose answer is not complete, by the reason why the model stopped."""
_SUBJECTS = {"execution": "run", "substep": "step"}
"""Prefixes of event names of executions, and the prefixes that runs of goals use instead."""


class RunProgress:
    """The progress of an execution or of a run of a goal."""

    def __init__(self, id_: str, title: str, status: str, rows: Iterable[Row] = ()) -> None:
        self.id = id_
        self.title = title
        self.status = status
        self.report: str | None = None
        self.problem: str | None = None
        """Why the run did not complete, or what went wrong in a completed run."""
        self.took_ms: int | None = None
        self.rows = {row.id: row for row in rows}
        self.failed_calls: list[str] = []
        """Errors of tool calls that failed after all retries."""
        self.news = 0
        """Number of known events."""
        self._read_at = 0
        """Stream sequence at which the run was read. Earlier final events are outdated."""
        self._began_ms = 0
        self._handlers: Mapping[str, Callable[[Any], str | None]] = {
            "run.created": self._created,
            "run.updated": self._updated,
            "run.asks": self._asks,
            "run.inherited": self._inherited,
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
            "ask.opened": self._ask_opened,
            "ask.answered": self._ask_closed,
            "ask.expired": self._ask_closed,
        }

    @classmethod
    def of_execution(cls, execution: ExecutionDetail) -> RunProgress:
        """Create the progress of an execution. It processes the events after the read."""
        title = execution.dag_title or execution.original_request
        progress = cls(execution.id, title, execution.status, map(row_of, execution.sub_steps))
        progress.report = execution.final_result
        progress.problem = execution.suspended_reason or execution.cancelled_reason
        progress.took_ms = execution.duration_ms
        return progress

    @classmethod
    def of_goal_run(cls, run: RunRow) -> RunProgress:
        """Create the progress of a run of a goal. It processes all events from the first one."""
        progress = cls(run.id, run.goal.objective, "pending")
        progress._read_at = run.seq
        return progress

    def take(self, event: Event) -> str | None:
        """Process an event. Return a line to print, or None."""
        subject, _, what = event.type.partition(".")
        handler = self._handlers.get(f"{_SUBJECTS.get(subject, subject)}.{what}")
        self.news += handler is not None
        return handler(event) if handler else None

    @property
    def is_over(self) -> bool:
        """Whether the run has ended or is suspended."""
        return self.status in OVER

    @property
    def is_completed(self) -> bool:
        """Whether the run is completed."""
        return self.status == COMPLETED

    @property
    def outcome(self) -> str:
        """How the run ended, and what went wrong."""
        if not self.is_completed:
            return f"{self.status}: {self.problem}" if self.problem else self.status
        took = "" if self.took_ms is None else f" in {seconds(self.took_ms)}"
        return f"completed{took}" + (f", but {self.problem}" if self.problem else "")

    @property
    def has_trouble(self) -> bool:
        """Whether the run is over and did not complete, or something went wrong in it."""
        return self.is_over and (self.problem is not None or not self.is_completed)

    @property
    def is_active(self) -> bool:
        """Whether a step runs or waits for a retry."""
        return any(row.state in IN_PROGRESS for row in self.rows.values())

    @property
    def is_asking(self) -> bool:
        """Whether a step waits for a person."""
        return any(row.state is State.ASKING for row in self.rows.values())

    @property
    def done(self) -> int:
        """Number of completed steps, including the report."""
        return sum(row.state in FINISHED for row in self.rows.values())

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
        if event.status in {"pending", "running", "waiting"}:  # final statuses have their own events
            self.status = event.status

    def _asks(self, event: RunEvent) -> str:
        self.problem = event.question
        return f"{event.question} Answer with: async-agent dags clarify {event.dag_id} …"

    def _inherited(self, event: Event) -> str:
        steps = event.inherited_steps or []
        for id_ in steps:
            self.rows.setdefault(id_, Row(id_, "", "")).state = State.INHERITED
        return f"inherits {len(steps)} steps of {event.forked_from}"

    def _resumed(self, _: Event) -> str:
        self.status, self.problem = "pending", None
        for row in self.rows.values():
            if row.state not in FINISHED:
                row.state, row.note = State.WAITING, ""
        return "resumed"

    def _completed(self, event: Event) -> str:
        self.status, self.problem = COMPLETED, self._problem(event)
        self.report = event.summary if isinstance(event, RunEvent) else event.final_result
        for row in self.rows.values():
            if self.report and row.what == self.report.strip():
                row.what = ANSWER
        own = event.duration_ms if isinstance(event, ExecutionEvent) else None
        self.took_ms = event.timestamp - self._began_ms if own is None else own
        return self.outcome

    def _problem(self, event: Event) -> str | None:
        """Return what went wrong in a completed run."""
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
        self.problem = event.reason or event.error
        for row in self.rows.values():
            if row.state in IN_PROGRESS:
                row.state = State.WAITING
        return self.outcome

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
        if event.calls == []:  # usually the report, which is printed in full at the end
            return f"{row.id} answers"
        return f"{row.id} thinks: {row.what}" if row.what else None

    def _step_completed(self, event: Event) -> str:
        row = self._step(event)
        row.state = State.TROUBLED if row.state is State.TROUBLED else State.DONE
        own, cut = None, None
        if isinstance(event, ExecutionEvent):
            own, cut = event.duration_ms, event.finish_reason and CUT_SHORT.get(event.finish_reason)
        row.note = row.note if row.state is State.TROUBLED else event.error or cut or ""
        row.took_ms = event.timestamp - row.since_ms if own is None else own
        return f"{row.id} done in {seconds(row.took_ms)}" + (f"; {cut}" if cut else "")

    def _step_retrying(self, event: Event) -> str:
        row = self._step(event)
        row.state, row.note = State.RETRYING, event.error or ""
        return f"{row.id} failed and will be retried: {row.note}"

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

    def _ask_opened(self, event: Event) -> str:
        step, row = self._asking(event)
        if row:
            row.state, row.note = State.ASKING, event.title or ""
        return f"{step} asks a person: {event.title}"

    def _ask_closed(self, event: Event) -> str:
        step, row = self._asking(event)
        if row:
            row.state, row.note = State.WAITING, ""
        if event.verdict is None:
            return f"{step}: nobody answered in time"
        return f"{step}: the answer of {event.by} is {event.verdict}"

    def _asking(self, event: Event) -> tuple[str, Row | None]:
        """Return the step of a question, and its row. The row of a tool call is that of its turn."""
        _, step, _ = parse_ask_id(event.ask_id or "")
        return step, self.rows.get(step) or self.rows.get(step.partition(".")[0].lstrip("0"))

    def _tool_progress(self, event: Event) -> None:
        self._step(event).note = event.message or ""
