"""How to live with models that refuse parts of a request, or have room for less.

Which parameters a model takes and how long its context is, is in no list worth trusting. Both are learnt from
what its provider answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import reduce

from contracts.llm.context import (
    Overflow,
    estimated_tokens,
    fitting_tokens,
    overflow_in,
    part_to_keep,
    shortened,
)
from contracts.llm.failure import CallFailed
from contracts.llm.parameters import Body

MAX_SHORTENINGS = 6
"""Of one call: each takes at least a tenth away."""

_REFUSABLE = {
    "response_format": (
        "response_format",
        "json_schema",
        "json mode",
        "structured output",
        "guided",
        "grammar",
        "response mime type",
        "failed to generate json",
        "json_validate_failed",
    ),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens",),
    "max_completion_tokens": ("max_completion_tokens",),
    "reasoning_effort": ("reasoning_effort", "reasoning effort", "reasoning.effort", "thinking"),
    "seed": ("seed",),
}
"""Parameters an answer can do without, each with the words by which providers refuse it."""
_REPLACEMENTS = {"max_tokens": "max_completion_tokens"}
"""What to send instead of a refused parameter; the rest is just left out."""
_LIMITS = ("max_tokens", "max_completion_tokens")
_REFUSING = frozenset({400, 422})
_UNCLEAR = frozenset({404, 405, 415, 500, 501})
"""Statuses by which some servers refuse a format that they do not know, without saying so."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What is known of one model."""

    refused: tuple[str, ...] = ()
    """Parameters it does not take, in the order in which they were refused."""
    suspected: tuple[str, ...] = ()
    """Parameters without which a call has succeeded once that had failed with them, for no stated reason."""
    limits: Overflow = field(default_factory=Overflow)

    def and_also(self, other: Learnt) -> Learnt:
        """Both together. A parameter that was suspected before, and is again, counts as refused."""
        certain = tuple(name for name in other.suspected if name in self.suspected)
        return Learnt(
            tuple(dict.fromkeys((*self.refused, *other.refused, *certain))),
            tuple(dict.fromkeys((*self.suspected, *other.suspected))),
            Overflow(
                other.limits.context or self.limits.context,
                None,
                other.limits.answer or self.limits.answer,
            ),
        )


@dataclass(frozen=True, slots=True)
class Adapted:
    """A body as the model may take it, and what that supposes. True only once it has answered."""

    body: Body
    learnt: Learnt = field(default_factory=Learnt)
    shortenings: int = 0
    is_guess: bool = False
    """Nothing says that the last change helps. A failure that may pass by itself is waited for first."""

    @classmethod
    def of(cls, body: Body, known: Learnt) -> Adapted:
        """The body without what the model is known to refuse, asking for no more than it has room for."""
        return cls(_with_room(reduce(_without_one, known.refused, body), known.limits))

    def after(self, failure: CallFailed, keep: Iterable[str] = ()) -> Adapted | None:
        """What to send after `failure`; None where it is about nothing that can be changed.

        `keep`: parameters that must be sent.
        """
        overflow = overflow_in(str(failure), failure.status)
        if overflow is not None:
            return self._shorter(overflow)
        name, certain = refused_parameter(failure, self.body, frozenset(keep))
        if name is None:
            return None
        learnt = Learnt(refused=(name,)) if certain else Learnt(suspected=(name,))
        body = _without_one(self.body, name)
        return replace(self, body=body, learnt=self.learnt.and_also(learnt), is_guess=not certain)

    def _shorter(self, overflow: Overflow) -> Adapted | None:
        if self.shortenings >= MAX_SHORTENINGS:
            return None
        prompt = overflow.prompt or estimated_tokens(self.body["messages"], self.body.get("tools"))
        learnt = self.learnt.and_also(Learnt(limits=overflow))
        name = _limit_name(self.body)
        wanted = self.body[name] if name else 0
        room = fitting_tokens(wanted, overflow, prompt)
        if name and room is not None and room < wanted:
            return Adapted({**self.body, name: room}, learnt, self.shortenings + 1)
        messages = shortened(self.body["messages"], part_to_keep(overflow, prompt))
        if messages is None:
            return None
        body = {**self.body, "messages": messages}
        if name and overflow.context is not None:
            body[name] = min(wanted, max(1, overflow.context // 4))
        return Adapted(body, learnt, self.shortenings + 1)


def refused_parameter(
    failure: CallFailed, body: Body, keep: frozenset[str] = frozenset()
) -> tuple[str | None, bool]:
    """The parameter of `body` that a refusal is about, and whether it says so, if the answer can do without.

    A refusal that names none is blamed on `response_format`, the one that providers refuse in most ways.
    """
    if failure.status not in _REFUSING | _UNCLEAR:
        return None, False
    sent = [name for name in _REFUSABLE if name in body and name not in keep]
    if failure.parameter is not None and (named := failure.parameter.split(".")[0]) in sent:
        return named, True
    said = str(failure).lower()
    for name in sent:
        if any(word in said for word in _REFUSABLE[name]):
            return name, True
    if "response_format" in sent:
        return "response_format", failure.status in _REFUSING
    return None, False


def with_advice(failure: CallFailed) -> CallFailed:
    """The failure, with what to set where a conversation does not fit, however short it is made."""
    if overflow_in(str(failure), failure.status) is None:
        return failure
    advised = CallFailed(f"{failure}; {_ADVICE}", passing=False, status=failure.status)
    advised.bill = failure.bill
    return advised


_ADVICE = (
    "the conversation does not fit the model: choose one with a larger context (a server of your own has a "
    "setting for it, such as OLLAMA_CONTEXT_LENGTH), or lower AGENT_CONTEXT_CHARS and DEFAULT_MAX_TOKENS"
)


def _with_room(body: Body, limits: Overflow) -> Body:
    name = _limit_name(body)
    if name is None or limits == Overflow():
        return body
    prompt = estimated_tokens(body["messages"], body.get("tools"))
    return {**body, name: fitting_tokens(body[name], limits, prompt) or body[name]}


def _limit_name(body: Body) -> str | None:
    return next((name for name in _LIMITS if name in body), None)


def _without_one(body: Body, name: str) -> Body:
    rest = {key: value for key, value in body.items() if key != name}
    if name in body and name in _REPLACEMENTS:
        rest[_REPLACEMENTS[name]] = body[name]
    return rest
