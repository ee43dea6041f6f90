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
from contracts.settings.redactor import SECRETS
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
        Reject: the parameters are invalid, a person rejected the call, nobody answered in time, or calls that
            send something to others are forbidden.
    """
    step = attempt.step.task.id
    ruling = attempt.state.rulings.get(step)
    if ruling and ruling.decision == "forbid":
        raise Reject(ruling.reason)
    closed = attempt.state.asks.closed.get(step)
    if closed and (reason := run.refusal(closed)):
        raise Reject(reason)
    approval = attempt.state.asks.approvals.get(step)
    if approval and approval.params_sha256 == _sha256(params):
        return params if approval.params is None else approval.params
    if attempt.state.needs_approval(attempt.step) or (ruling and ruling.decision == "ask"):
        tool.accept(params)
        raise Asking(_approval(tool, params, attempt, ruling))
    return params


def answers(attempt: Attempt) -> Mapping[str, Json]:
    """The answers to the questions that the step's call has asked, by question."""
    return attempt.state.asks.answers.get(attempt.step.task.id, {})


def is_answered(attempt: Attempt) -> bool:
    """Whether the previous attempt at the step ended with a question, which was answered."""
    closed = attempt.state.asks.closed.get(attempt.step.task.id)
    if not isinstance(closed, run.Answered) or closed.verdict != "answer":
        return False
    return closed.attempt == attempt.number - 1


def question(
    ask: Ask, tool: Tool[Any], params: Mapping[str, Json], attempt: Attempt, now: datetime
) -> Asking:
    """The question that a tool asks."""
    return Asking(
        run.Asked(
            step=attempt.step.task.id,
            attempt=attempt.number,
            kind="question",
            title=SECRETS.text(str(ask)),
            tool=tool.name,
            params=dict(params),
            params_sha256=_sha256(params),
            answer_schema=ask.schema,
            why=attempt.step.task.thought or f"{tool.name} needs the answer of a person",
            expires_at=now + ask.expires_in if ask.expires_in else None,
        )
    )


def _approval(
    tool: Tool[Any], params: Mapping[str, Json], attempt: Attempt, ruling: run.Ruling | None
) -> run.Asked:
    asks_by_policy = ruling if ruling and ruling.decision == "ask" else None
    return run.Asked(
        step=attempt.step.task.id,
        attempt=attempt.number,
        kind="approval",
        title=attempt.step.task.description or f"Call {tool.name}",
        tool=tool.name,
        params=dict(params),
        params_sha256=_sha256(params),
        answer_schema=tool.spec.parameters,
        why=asks_by_policy.reason if asks_by_policy else _why(tool, attempt),
        policy=asks_by_policy.policy if asks_by_policy else None,
    )


def _why(tool: Tool[Any], attempt: Attempt) -> str:
    if attempt.step.task.approval:
        return "the plan says that a person must approve this call"
    return f"a person must approve every call of {tool.name} in this run"


def _sha256(params: Mapping[str, Json]) -> str:
    return hashlib.sha256(orjson.dumps(params, option=orjson.OPT_SORT_KEYS)).hexdigest()
