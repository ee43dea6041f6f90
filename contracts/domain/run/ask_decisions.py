"""The decisions about questions of a run to a person. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from contracts.core.aggregate import DomainError
from contracts.core.event import Event, Json
from contracts.core.ids import is_id
from contracts.core.tool import Effect
from contracts.domain.outward import Ruling
from contracts.domain.plan.schema_problems import schema_problems
from contracts.domain.run.ask_events import Answered, Asked, AskExpired, AskKind, Verdict
from contracts.domain.run.asks import Closed
from contracts.domain.run.attempts import RunPolicy
from contracts.domain.run.state import State, Status
from contracts.domain.run.steps import Step

ANSWERABLE = frozenset({Status.PENDING, Status.RUNNING, Status.WAITING})
"""Statuses of runs with open questions."""
VERDICTS: Mapping[AskKind, tuple[Verdict, ...]] = {
    "approval": ("approve", "reject"),
    "question": ("answer", "reject"),
}
"""How each kind of question can be answered."""


class UnknownAsk(DomainError):
    """There is no such question."""


class AskClosed(DomainError):
    """The question was answered, has expired, or was withdrawn."""


class InvalidAnswer(DomainError):
    """The answer does not fit the question."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a person."""

    verdict: Verdict
    params: dict[str, Json] | None = None
    """Edited parameters of an approved call; None: unchanged."""
    value: Json = None
    """The answer to a question."""
    comment: str | None = None


def ask_id(run_id: str, step: str, attempt: int) -> str:
    """The id of the question that an attempt asked."""
    return f"{run_id}.{step}.{attempt}"


def parse_ask_id(id_: str) -> tuple[str, str, int]:
    """The run, the step and the attempt of a question.

    Raises:
        UnknownAsk: `id_` is not the id of a question.
    """
    run_id, _, rest = id_.partition(".")
    step, _, attempt = rest.rpartition(".")
    if not (is_id(run_id) and step and attempt.isascii() and attempt.isdecimal()):
        raise UnknownAsk
    return run_id, step, int(attempt)


def answer(state: State, step: str, attempt: int, given: Answer, by: str, now: datetime) -> list[Event]:
    """Answer an open question. Returns no events if the same person has given the same answer.

    Raises:
        UnknownAsk: the attempt has asked nothing.
        AskClosed: the question was answered, has expired, or was withdrawn.
        InvalidAnswer: the answer does not fit the question.
    """
    ask = state.asks.open.get(step)
    if ask is None or ask.attempt != attempt:
        return _not_open(state, step, attempt, given, by)
    if state.status not in ANSWERABLE:
        raise AskClosed(f"the run is {state.status}; the question is withdrawn")
    if ask.expires_at and ask.expires_at <= now:
        raise AskClosed(f"the question expired at {_iso(ask.expires_at)}")
    _check(ask, given)
    return [
        Answered(
            step=step,
            attempt=attempt,
            verdict=given.verdict,
            params_sha256=ask.params_sha256,
            params=None if given.params == ask.params else given.params,
            value=given.value,
            comment=given.comment,
            by=by,
            at=now,
        )
    ]


def expire(state: State, now: datetime) -> list[Event]:
    """Close the open questions of a run that have expired."""
    if state.status not in ANSWERABLE:
        return []
    return [
        AskExpired(step=ask.step, attempt=ask.attempt, expired_at=ask.expires_at or now)
        for ask in state.asks.due(now)
    ]


def effect_of(state: State, step: Step, policy: RunPolicy, ruling: Ruling | None = None) -> Effect:
    """What a second execution of the next attempt does. Asking, and refusing a call, change nothing."""
    if ruling and ruling.decision == "forbid":
        return Effect.READ
    if approval := state.asks.approvals.get(step.task.id):
        return policy.effect_of(step if approval.params is None else step.with_params(approval.params))
    if state.needs_approval(step) or (ruling and ruling.decision == "ask"):
        return Effect.READ
    return policy.effect_of(step)


def _not_open(state: State, step: str, attempt: int, given: Answer, by: str) -> list[Event]:
    closed = state.asks.closed.get(step)
    if closed and closed.attempt == attempt:
        if _repeats(closed, given, by):
            return []
        raise AskClosed(_how_closed(closed))
    if 0 < attempt <= state.attempts.get(step, 0):
        raise AskClosed
    raise UnknownAsk


def _repeats(closed: Closed, given: Answer, by: str) -> bool:
    if isinstance(closed, AskExpired):
        return False
    then = (closed.by, closed.verdict, closed.params, closed.value, closed.comment)
    return then == (by, given.verdict, given.params, given.value, given.comment)


def _how_closed(closed: Closed) -> str:
    if isinstance(closed, AskExpired):
        return f"the question expired at {_iso(closed.expired_at)}"
    return f"{closed.by} has answered the question with {closed.verdict} at {_iso(closed.at)}"


def _check(ask: Asked, given: Answer) -> None:
    allowed = VERDICTS[ask.kind]
    if given.verdict not in allowed:
        raise InvalidAnswer(
            f"verdict: {given.verdict!r} does not fit: for this {ask.kind}, give {_or(allowed)}"
        )
    if given.params is not None and given.verdict != "approve":
        raise InvalidAnswer("params: they can be edited only with the verdict 'approve'; leave them out")
    if given.verdict == "answer":
        if given.value is None:
            raise InvalidAnswer("value: give the answer to the question")
        _check_schema(ask, "value", given.value)
    elif given.value is not None:
        raise InvalidAnswer("value: only the verdict 'answer' has one; leave it out")
    if given.params is not None:
        _check_schema(ask, "params", given.params)


def _check_schema(ask: Asked, field: str, value: Json) -> None:
    if ask.answer_schema is None:
        return
    for path, _, message in schema_problems(orjson.dumps(ask.answer_schema), value):
        raise InvalidAnswer(f"{'.'.join(map(str, (field, *path)))}: {message}")


def _or(words: tuple[str, ...]) -> str:
    return " or ".join(map(repr, words))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
