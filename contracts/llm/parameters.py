"""The request body, and how to live with models that refuse parts of it.

Which parameters a model takes is not in any list worth trusting, so it is learnt from what the provider says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from contracts.core.event import Json
from contracts.core.text import clean_json
from contracts.llm.chat import ChatRequest
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed
from contracts.llm.settings import LlmSettings

Body = Mapping[str, Json]

_REFUSABLE = {
    "response_format": ("response_format", "json_schema", "structured output"),
    "temperature": ("temperature",),
    "max_tokens": ("max_tokens",),
    "max_completion_tokens": ("max_completion_tokens",),
    "reasoning_effort": ("reasoning_effort", "reasoning effort", "reasoning.effort", "thinking"),
    "seed": ("seed",),
}
"""Parameters an answer can do without, each with the words by which providers refuse it."""

_REPLACEMENTS = {"max_tokens": "max_completion_tokens"}
"""What to send instead of a refused parameter; the rest is just left out."""


def body_of(request: ChatRequest, endpoint: Endpoint, settings: LlmSettings) -> Body:
    """The body that asks for everything the request wants."""
    optional = {
        "tools": [dict(tool) for tool in request.tools] or None,
        "response_format": _response_format(request.response_schema),
        "temperature": settings.default_temperature if request.temperature is None else request.temperature,
        "max_tokens": request.max_tokens or settings.default_max_tokens,
        "seed": request.seed,
        "reasoning_effort": request.reasoning_effort,
        "usage": {"include": True} if endpoint.provider is Provider.OPENROUTER else None,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    body: Body = clean_json({"messages": [dict(message) for message in request.messages], **given})
    return body


def refused_parameter(failure: CallFailed, body: Body) -> str | None:
    """The parameter of `body` that a 400 or 422 is about, if the answer can do without it.

    A refusal that names none is blamed on `response_format`, the one that providers refuse in most ways.
    """
    if failure.status not in (400, 422):
        return None
    sent = [name for name in _REFUSABLE if name in body]
    if failure.parameter is not None and (named := failure.parameter.split(".")[0]) in sent:
        return named
    said = str(failure).lower()
    blamed = (name for name in sent if any(word in said for word in _REFUSABLE[name]))
    return next(blamed, "response_format" if "response_format" in sent else None)


def without(body: Body, names: Iterable[str]) -> Body:
    """`body` after each of `names` was refused, in order."""
    return reduce(_without_one, names, body)


def _without_one(body: Body, name: str) -> Body:
    rest = {key: value for key, value in body.items() if key != name}
    if name in body and name in _REPLACEMENTS:
        rest[_REPLACEMENTS[name]] = body[name]
    return rest


def _response_format(schema: Mapping[str, Json] | None) -> Json:
    if schema is None:
        return None
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema)}}
