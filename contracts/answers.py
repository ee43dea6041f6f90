"""What the HTTP API answers, as its clients read it: the parts they need, whatever else is said."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Answer(BaseModel):
    """Part of an answer; what is not named here is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, validate_by_name=True)


class Readiness(Answer):
    """Whether the system is ready, and with what."""

    status: str
    provider: str = "none"
    model: str = "none"
    llm: str = ""
    """`ok`, or what to set."""
    problems: dict[str, str] = Field(default_factory=dict)
    """What keeps it from being ready, and what to do."""

    @property
    def is_ready(self) -> bool:
        """Whether everything is there."""
        return self.status == "ready"


class Started(Answer):
    """An execution that is on its way."""

    execution_id: str
    dag_id: str
    original_request: str
    total_tasks: int


class Step(Answer):
    """One step of an execution; the synthesis is the last."""

    task_id: str
    description: str
    action_type: str
    tool_or_prompt_name: str
    dependencies: tuple[str, ...] = ()
    status: str
    attempt: int = 0
    """Attempts started so far."""
    started_at: datetime | None = None
    duration_ms: int | None = None
    error: str | None = None
    result: str | None = None


class Execution(Answer):
    """An execution and its steps."""

    id: str
    dag_id: str
    dag_title: str | None = None
    original_request: str
    status: str
    total_tasks: int
    completed_tasks: int
    failed_tasks: int
    duration_ms: int | None = None
    final_result: str | None = None
    suspended_reason: str | None = None
    cancelled_reason: str | None = None
    total_cost_usd: str | None = None
    """Exact decimal text."""
    seq: int
    """Its place in the log: its events go on from here."""
    sub_steps: tuple[Step, ...] = ()


class ExecutionEvent(Answer):
    """One event of an execution's stream; which fields it has depends on its type."""

    type: str
    execution_id: str
    timestamp: int
    """Milliseconds since 1970."""
    seq: int | None = None
    """Its place in the log, to go on from; None for what is not stored."""
    status: str | None = None
    completed_tasks: int | None = None
    failed_tasks: int | None = None
    total_tasks: int | None = None
    sub_step_id: str | None = None
    description: str | None = None
    duration_ms: int | None = None
    result: str | None = None
    error: str | None = None
    reason: str | None = None
    final_result: str | None = None
    tool_name: str | None = None
    message: str | None = None

    @property
    def is_last(self) -> bool:
        """Whether nothing more happens unless somebody resumes."""
        return self.type in _LAST


_LAST = frozenset({"execution.completed", "execution.failed", "execution.suspended", "execution.deleted"})
