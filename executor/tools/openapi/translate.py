"""Translates operations and answers of HTTP APIs into ours. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urljoin

from contracts.core.event import Json
from contracts.core.tool import Effect, Outward
from contracts.openapi import Operation
from executor.tools.openapi.config import ApiConfig

IDEMPOTENCY_KEY = "idempotency-key"
"""Header that the executor fills, so that a repeated call has no further effect. In lower case."""


class NoAddress(ValueError):
    """It is not known where the API is."""


def address_of(document: Mapping[str, Json], config: ApiConfig, source: str) -> str:
    """The address of the API without a slash at its end. `source`: where the document is from.

    Raises:
        NoAddress: neither the configuration nor the document says it.
    """
    servers = document.get("servers") or [{}]
    named = str(servers[0].get("url") or "/") if isinstance(servers[0], Mapping) else "/"
    base = config.url or urljoin(source, named)
    if not base.startswith(("http://", "https://")) or "{" in base:
        raise NoAddress(f"its document does not say the address of the API ({named!r}): set `url`")
    return base.rstrip("/")


def key_header(operation: Operation) -> str | None:
    """The header parameter for the idempotency key, if the operation declares one."""
    headers = (name for name, place in operation.places.items() if place == "header")
    return next((name for name in headers if name.lower() == IDEMPOTENCY_KEY), None)


def schema_of(operation: Operation) -> dict[str, Json]:
    """The JSON Schema of the input, without what the executor fills."""
    filled = key_header(operation)
    properties = {k: v for k, v in operation.parameters["properties"].items() if k != filled}
    required = [name for name in operation.parameters["required"] if name != filled]
    return {**operation.parameters, "properties": properties, "required": required}


def effect_of(operation: Operation, config: ApiConfig) -> Effect:
    """What a second call does: as configured, or as the method says."""
    if operation.name in config.effects:
        return config.effects[operation.name]
    if operation.is_safe:
        return Effect.READ
    return Effect.IDEMPOTENT if operation.is_idempotent or key_header(operation) else Effect.ONCE


def outward_of(operation: Operation, config: ApiConfig) -> Outward | None:
    """Whether a call sends something to others: as configured, or every operation that does not only read."""
    is_outward = effect_of(operation, config) is not Effect.READ if config.outward is None else config.outward
    return Outward() if is_outward else None
