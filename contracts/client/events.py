"""Events of the streams. Unknown fields are ignored."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import orjson
from pydantic import ConfigDict

from contracts.api.fields import Row
from contracts.client.sse import Message
from contracts.core.event import Json


class StreamEvent(Row):
    """One event of an execution or a run. Its fields depend on its type."""

    last: ClassVar[frozenset[str]]
    """Types of final events. More events follow only if the run is resumed."""

    type: str
    timestamp: int
    """Milliseconds since 1970."""
    seq: int | None = None
    """Position in the log, to resume the stream from. None for events that are not stored."""
    status: str | None = None
    description: str | None = None
    tool_name: str | None = None
    message: str | None = None
    duration_ms: int | None = None
    error: str | None = None
    reason: str | None = None
    forked_from: str | None = None
    ask_id: str | None = None
    """Id of a question that was asked, was answered, or has expired."""
    title: str | None = None
    """The question."""
    verdict: str | None = None
    by: str | None = None
    """Who answered."""
    inherited_steps: list[str] | None = None
    """Ids of the steps or turns that a fork inherits."""

    @property
    def is_last(self) -> bool:
        """Whether this is a final event."""
        return self.type in self.last


class ExecutionEvent(StreamEvent):
    """One event of an execution."""

    last = frozenset({"execution.completed", "execution.failed", "execution.suspended", "execution.deleted"})

    execution_id: str
    completed_tasks: int | None = None
    failed_tasks: int | None = None
    total_tasks: int | None = None
    sub_step_id: str | None = None
    result: str | None = None
    finish_reason: str | None = None
    """Why the answer of a model is not complete: `length` (max_tokens) or `content_filter`."""
    final_result: str | None = None


class RunEvent(StreamEvent):
    """One event of the run of a goal."""

    last = frozenset({"run.completed", "run.failed", "run.suspended", "run.deleted"})

    run_id: str
    objective: str | None = None
    steps_executed: int | None = None
    step_budget: int | None = None
    step_no: int | None = None
    attempt: int | None = None
    thought: str | None = None
    calls: list[Json] | None = None
    """The tool calls that the model requested."""
    dag_id: str | None = None
    question: str | None = None
    """The clarification question that the plan of the run waits for."""
    summary: str | None = None
    outcome_reason: str | None = None
    """Why a run completed, and whether it reached its goal. See `RunRow.outcome_reason`."""


class LogEvent(Row):
    """One event of the log, a CloudEvents 1.0 envelope."""

    model_config = ConfigDict(alias_generator=None)

    id: str
    type: str
    subject: str
    """Id of the aggregate."""
    time: datetime
    version: int
    """Position in the aggregate: 1, 2, 3 … without gaps."""
    state: str
    """State of the aggregate after the commit."""
    commit: str
    """Id of the commit. All events of a commit share it."""
    source: str | None = None
    """`/<service>/<instance>` that wrote the commit."""
    correlationid: str | None = None
    """Shared by all commits that result from one request."""
    actor: str | None = None
    """Who asked for the commit; None in commits of older versions."""
    dataschema: str
    data: Json
    seq: int | None = None
    """Position in the log, to resume the stream from. Only the last event of a commit has one."""


HEARTBEAT = "heartbeat"


def message_data(message: Message) -> dict[str, Json]:
    """Return the data of a message, with its position in the log."""
    return {**orjson.loads(message.data), "seq": message.id}
