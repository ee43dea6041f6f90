"""Approvals of tool calls, and questions of tools, to a person. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from contracts.core.event import Json
from contracts.core.outcome import Ask, Reject
from contracts.domain import run
from executor.attempt import Attempt
from executor.tools.tool import Tool


class Asking(Exception):
    """The attempt ends with a question to a person. The step runs again after the answer."""

    def __init__(self, asked: run.Asked) -> None:
        super().__init__(asked.title)
        self.asked = asked


def approved(tool: Tool[Any], params: Mapping[str, Json], attempt: Attempt) -> Mapping[str, Json]:
    """The parameters to call `tool` with: `params`, or as a person edited them.

    Raises:
        Asking: a person must approve these parameters first.
        Reject: the parameters are invalid, a person rejected the call, or nobody answered in time.
    """
    closed = attempt.state.asks.closed.get(attempt.step.task.id)
    if closed and (reason := run.refusal(closed)):
        raise Reject(reason)
    if not attempt.step.task.approval:
        return params
    if not isinstance(closed, run.Answered) or closed.params_sha256 != _sha256(params):
        tool.accept(params)
        raise Asking(_approval(tool, params, attempt))
    return params if closed.params is None else closed.params


def answer_to(attempt: Attempt) -> Json:
    """The answer to the question that the step has asked; None if it has asked none."""
    closed = attempt.state.asks.closed.get(attempt.step.task.id)
    return closed.value if isinstance(closed, run.Answered) else None


def question(
    ask: Ask, tool: Tool[Any], params: Mapping[str, Json], attempt: Attempt, now: datetime
) -> Asking:
    """The question that a tool asks."""
    return Asking(
        run.Asked(
            step=attempt.step.task.id,
            attempt=attempt.number,
            kind="question",
            title=str(ask),
            tool=tool.name,
            params=dict(params),
            params_sha256=_sha256(params),
            answer_schema=ask.schema,
            why=attempt.step.task.thought or f"{tool.name} needs the answer of a person",
            expires_at=now + ask.expires_in if ask.expires_in else None,
        )
    )


def _approval(tool: Tool[Any], params: Mapping[str, Json], attempt: Attempt) -> run.Asked:
    return run.Asked(
        step=attempt.step.task.id,
        attempt=attempt.number,
        kind="approval",
        title=attempt.step.task.description or f"Call {tool.name}",
        tool=tool.name,
        params=dict(params),
        params_sha256=_sha256(params),
        answer_schema=tool.spec.parameters,
        why="the plan says that a person must approve this call",
    )


def _sha256(params: Mapping[str, Json]) -> str:
    return hashlib.sha256(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)).hexdigest()
