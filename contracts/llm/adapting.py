"""Adapts requests to models that refuse a parameter or have a smaller context.

No reliable list says which parameters a model accepts and how long its context is. Both are learnt from the
errors of the provider.
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
"""Maximum number of times one call is shortened; each time by at least a tenth."""

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
"""Optional parameters, each with words that occur in error messages about it."""
_REPLACEMENTS = {"max_tokens": "max_completion_tokens"}
"""Replacements of refused parameters; a parameter without a replacement is left out."""
_LIMITS = ("max_tokens", "max_completion_tokens")
_REFUSING = frozenset({400, 422})
_UNCLEAR = frozenset({404, 405, 415, 500, 501})
"""HTTP statuses with which some servers refuse an unknown format, without naming it."""


@dataclass(frozen=True, slots=True)
class Restrictions:
    """What is known about one model."""

    refused: tuple[str, ...] = ()
    """Parameters that the model refuses, in the order of the refusals."""
    suspected: tuple[str, ...] = ()
    """Parameters of a call that failed for no stated reason and once succeeded without them."""
    limits: Overflow = field(default_factory=Overflow)

    def merged(self, other: Restrictions) -> Restrictions:
        """The combination of both. A parameter that is suspected in both counts as refused."""
        certain = tuple(name for name in other.suspected if name in self.suspected)
        return Restrictions(
            tuple(dict.fromkeys((*self.refused, *other.refused, *certain))),
            tuple(dict.fromkeys((*self.suspected, *other.suspected))),
            Overflow(
                other.limits.context or self.limits.context,
                None,
                other.limits.answer or self.limits.answer,
            ),
        )


@dataclass(frozen=True, slots=True)
class AdaptedRequest:
    """An adapted request body, and what was learnt. It is confirmed when the model answers."""

    body: Body
    learnt: Restrictions = field(default_factory=Restrictions)
    shortenings: int = 0
    is_guess: bool = False
    """Whether the last change is a guess. After a temporary failure the call is repeated unchanged first."""

    @classmethod
    def of(cls, body: Body, known: Restrictions) -> AdaptedRequest:
        """The body without the parameters that the model refuses, and with `max_tokens` within its limits."""
        return cls(_within_limits(reduce(_without_one, known.refused, body), known.limits))

    def after(self, failure: CallFailed, keep: Iterable[str] = ()) -> AdaptedRequest | None:
        """What to send after `failure`; None if no change can help.

        `keep`: parameters that must be sent.
        """
        overflow = overflow_in(str(failure), failure.status)
        if overflow is not None:
            return self._shorter(overflow)
        name, certain = refused_parameter(failure, self.body, frozenset(keep))
        if name is None:
            return None
        learnt = Restrictions(refused=(name,)) if certain else Restrictions(suspected=(name,))
        body = _without_one(self.body, name)
        return replace(self, body=body, learnt=self.learnt.merged(learnt), is_guess=not certain)

    def _shorter(self, overflow: Overflow) -> AdaptedRequest | None:
        if self.shortenings >= MAX_SHORTENINGS:
            return None
        prompt = overflow.prompt or estimated_tokens(self.body["messages"], self.body.get("tools"))
        learnt = self.learnt.merged(Restrictions(limits=overflow))
        name = _limit_name(self.body)
        wanted = self.body[name] if name else 0
        room = fitting_tokens(wanted, overflow, prompt)
        if name and room is not None and room < wanted:
            return AdaptedRequest({**self.body, name: room}, learnt, self.shortenings + 1)
        messages = shortened(self.body["messages"], part_to_keep(overflow, prompt))
        if messages is None:
            return None
        body = {**self.body, "messages": messages}
        if name and overflow.context is not None:
            body[name] = min(wanted, max(1, overflow.context // 4))
        return AdaptedRequest(body, learnt, self.shortenings + 1)


def refused_parameter(
    failure: CallFailed, body: Body, keep: frozenset[str] = frozenset()
) -> tuple[str | None, bool]:
    """The optional parameter of `body` that a failure is about, or None; and whether this is certain.

    A failure that names no parameter is attributed to `response_format`, which providers refuse most often.
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
    """The failure; if the conversation is too long for the model, with advice on what to set."""
    if overflow_in(str(failure), failure.status) is None:
        return failure
    advised = CallFailed(f"{failure}; {_ADVICE}", passing=False, status=failure.status)
    advised.bill = failure.bill
    return advised


_ADVICE = (
    "the conversation does not fit the model: choose one with a larger context (a local server has a setting "
    "for it, such as OLLAMA_CONTEXT_LENGTH), or lower AGENT_CONTEXT_CHARS and DEFAULT_MAX_TOKENS"
)


def _within_limits(body: Body, limits: Overflow) -> Body:
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
