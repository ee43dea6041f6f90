"""Events as clients hear them. They are lenient: what is not named here is passed over."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

import orjson
from pydantic import ConfigDict

from contracts.api.fields import Row
from contracts.client.sse import Message
from contracts.core.event import Json


class StreamEvent(Row):
    """One event of something that goes on to an end; which fields it has depends on its type."""

    last: ClassVar[frozenset[str]]
    """Types after which nothing more happens, unless somebody resumes."""

    type: str
    timestamp: int
    """Milliseconds since 1970."""
    seq: int | None = None
    """Its place in the log, to go on from; None for what is not stored."""
    status: str | None = None
    description: str | None = None
    tool_name: str | None = None
    message: str | None = None
    duration_ms: int | None = None
    error: str | None = None
    reason: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more happens unless somebody resumes."""
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
    """Of the aggregate, after all that was decided at once."""
    commit: str
    """The same for all events that were decided at once."""
    dataschema: str
    data: Json
    seq: int | None = None
    """Its place in the log, to go on from; only the last of those decided at once has it."""


HEARTBEAT = "heartbeat"


def told(message: Message) -> dict[str, Json]:
    """What a message says, and its place in the log."""
    return {**orjson.loads(message.data), "seq": message.id}
