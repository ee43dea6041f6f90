"""Events of the streams. Fields that are not named here are ignored."""

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
    """Types of final events. Only resuming leads to further events."""

    type: str
    timestamp: int
    """Milliseconds since 1970."""
    seq: int | None = None
    """Its position in the log, to resume from; None for events that are not stored."""
    status: str | None = None
    description: str | None = None
    tool_name: str | None = None
    message: str | None = None
    duration_ms: int | None = None
    error: str | None = None
    reason: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether it is a final event."""
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
    """The tool calls that a thought asks for."""
    dag_id: str | None = None
    question: str | None = None
    """What the plan of the run waits to be told."""
    summary: str | None = None
    outcome_reason: str | None = None
    """Why a completed run ended, and whether it did what it was told: see `RunRow.outcome_reason`."""


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
    """Id of the commit, the same for all its events."""
    dataschema: str
    data: Json
    seq: int | None = None
    """Its position in the log, to resume from; only the last event of a commit has one."""


HEARTBEAT = "heartbeat"


def told(message: Message) -> dict[str, Json]:
    """The data of a message, with its position in the log."""
    return {**orjson.loads(message.data), "seq": message.id}
