"""Records the usage and cost of tasks in the log."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import structlog

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.domain import task
from contracts.domain.agent import AgentVersion
from contracts.domain.task import TASK
from contracts.llm import ChatRequest, Completion
from contracts.runtime.log import Unavailable
from gateway.endpoint import Call

logger = structlog.get_logger(__name__)

EndEvent = type[task.Answered] | type[task.Failed]
Account = tuple[EndEvent, dict[str, Json]]
"""The event that ends a task, and its fields without agent and duration."""


def answered(completion: Completion) -> Account:
    """Return the account of a successful task."""
    return task.Answered, completion.spent.as_fields


def failed(request: ChatRequest, error: Retry | Reject) -> Account:
    """Return the account of a failed task."""
    spent = error.spent or Spent(provider=request.provider, model=request.model)
    return task.Failed, {**spent.as_fields, "error": str(error)}


async def record(
    call: Call[Any, Any], task_id: str, entry: AgentVersion, account: Account, begun: float
) -> None:
    """Append the task to the log. If the log is unavailable, the client still receives the answer."""
    kind, fields = account
    agent = {
        "agent_id": entry.id,
        "agent_name": entry.state.name,
        "agent_version": entry.state.version_name,
    }
    event = kind(**agent, **fields, duration_ms=round((time.perf_counter() - begun) * 1000))
    try:
        stream = await call.create(TASK, task_id, partial(task.settle, outcome=event))
    except Unavailable as error:
        logger.error("a task could not be recorded", error=str(error), task=event.model_dump(mode="json"))
        return
    await call.gateway.projected(stream.seq)
