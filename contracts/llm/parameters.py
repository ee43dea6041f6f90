"""The body of a request to a provider."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.core.event import Json
from contracts.core.text import clean_json
from contracts.llm.chat import ChatRequest
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.history import wire_messages
from contracts.llm.settings import LlmSettings, StructuredOutput

Body = Mapping[str, Json]


def body_of(request: ChatRequest, endpoint: Endpoint, settings: LlmSettings) -> Body:
    """The body of `request`, without the model's name."""
    optional = {
        "tools": [dict(tool) for tool in request.tools] or None,
        "response_format": _response_format(request.response_schema, settings.llm_structured_output),
        "temperature": settings.default_temperature if request.temperature is None else request.temperature,
        "max_tokens": (request.max_tokens or settings.default_max_tokens) * request.more_tokens,
        "seed": request.seed,
        "reasoning_effort": request.reasoning_effort,
        "usage": {"include": True} if endpoint.provider is Provider.OPENROUTER else None,
    }
    given = {name: value for name, value in optional.items() if value is not None}
    body: Body = clean_json({"messages": wire_messages(request.messages), **given})
    return body


def _response_format(schema: Mapping[str, Json] | None, wanted: StructuredOutput) -> Json:
    if schema is None or wanted == "off":
        return None
    if wanted == "json_object":
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": dict(schema)}}
