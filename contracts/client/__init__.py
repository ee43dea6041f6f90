"""A client of the HTTP API: typed, asynchronous, small.

    async with Client("http://127.0.0.1:3000") as client:
        started = await client.dags.create_and_execute("Compare solar and wind power for a small farm")
        async for event in client.executions.events(started.execution_id, after=0):
            print(event.type, event.sub_step_id or "")
            if event.is_last:
                break

Bodies and answers are the models of `contracts.api`. Every error is a ClientError. Its message explains what
to do.
"""

from __future__ import annotations

from contracts.client.client import Client
from contracts.client.dags import Started
from contracts.client.errors import (
    ClarificationRequired,
    ClientError,
    EmptyArgument,
    InvalidAnswer,
    Refused,
    Unreachable,
)
from contracts.client.events import ExecutionEvent, LogEvent, RunEvent
from contracts.client.http import Content
from contracts.client.tasks import Attachment
from contracts.domain.agent import PLANNER_AGENT

__all__ = [
    "Client",
    "ClientError",
    "Unreachable",
    "Refused",
    "EmptyArgument",
    "InvalidAnswer",
    "ClarificationRequired",
    "Started",
    "ExecutionEvent",
    "RunEvent",
    "LogEvent",
    "Attachment",
    "Content",
    "PLANNER_AGENT",
]
