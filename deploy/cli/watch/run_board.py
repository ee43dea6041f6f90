"""What is known of a run of a goal: its steps, made of the events of its stream from the first one on."""

from __future__ import annotations

from contracts.api.runs import RunRow
from contracts.client import RunEvent
from deploy.cli.watch.board import COMPLETED, Progress, Row, State, seconds

ANSWER = "the answer below"
"""What stands beside the turn whose text is the report."""

REMARKS = {
    "budget_exhausted": "its turns were used up before the agent was done",
    "truncated": "its last answer was cut short by max_tokens or a content filter",
    "calls_failed": "a tool call failed and was not made up for",
    "nothing_done": "none of the tool calls that the agent asked for was made",
}
"""What is told of a completed run that may not have done what it was told, by its outcome reason."""


class RunBoard(Progress):
    """One run. Where it stood when it was first looked at tells which of its endings was not the last."""

    def __init__(self, run: RunRow) -> None:
        super().__init__(run.id, run.goal.objective, "pending")
        self._looked_at = run.seq
        self._began_ms = 0
        self._handlers = {
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
            "call.retrying": self._call_failed,
            "call.failed": self._call_failed,
            "tool.progress": self._progress,
        }

    def _of(self, event: RunEvent) -> Row:
        return self._row(str(event.step_no), event)

    def _created(self, event: RunEvent) -> str:
        self._began_ms = event.timestamp
        return f"asked for: {self.title}"

    def _updated(self, event: RunEvent) -> None:
        if event.status in {"pending", "running"}:  # an ending is told by an event of its own
            self.status = event.status

    def _asks(self, event: RunEvent) -> str:
        self.problem = event.question
        return f"{event.question} Answer with: async-agent dags clarify {event.dag_id} …"

    def _resumed(self, _: RunEvent) -> str:
        self.status, self.problem = "pending", None
        return "resumed"

    def _completed(self, event: RunEvent) -> str:
        self.status, self.report = COMPLETED, event.summary
        for row in self.rows.values():
            if self.report and row.what == self.report.strip():
                row.what = ANSWER
        self.took_ms = event.timestamp - self._began_ms
        remark = REMARKS.get(event.outcome_reason or "")
        self.problem = remark
        return f"completed in {seconds(self.took_ms)}" + (f", but {remark}" if remark else "")

    def _ended(self, event: RunEvent) -> str | None:
        if event.seq is not None and event.seq < self._looked_at:
            return None
        self.status = event.type.partition(".")[2]
        self.problem = event.error or event.reason or self.status
        self._stop_steps()
        return f"{self.status}: {self.problem}"

    def _step_started(self, event: RunEvent) -> str:
        row = self._of(event)
        row.state, row.since_ms, row.note = State.RUNNING, event.timestamp, ""
        row.starts = event.attempt or row.starts + 1
        again = f" again (start {row.starts})" if row.starts > 1 else ""
        return f"{row.id} started{again}" + (f": {row.what}" if row.what else "")

    def _step_thought(self, event: RunEvent) -> str | None:
        row = self._of(event)
        row.what = (event.thought or "").strip()
        if event.calls == []:  # the report, as a rule, which is shown whole at the end
            return f"{row.id} answers"
        return f"{row.id} thinks: {row.what}" if row.what else None

    def _call_started(self, event: RunEvent) -> str:
        row = self._of(event)
        row.who = event.tool_name or ""
        return f"{row.id} calls {row.who}"

    def _call_failed(self, event: RunEvent) -> str:
        row = self._of(event)
        row.note = f"{event.tool_name}: {event.error}"
        return f"{row.id} {row.note}"

    def _progress(self, event: RunEvent) -> None:
        self._of(event).note = event.message or ""

    def _step_completed(self, event: RunEvent) -> str:
        row = self._of(event)
        row.state, row.note = State.DONE, event.error or ""
        row.took_ms = event.timestamp - row.since_ms
        return f"{row.id} done in {seconds(row.took_ms)}"

    def _step_retrying(self, event: RunEvent) -> str:
        return self._of(event).retries(event.error)

    def _step_failed(self, event: RunEvent) -> str:
        return self._of(event).fails(event.error)
