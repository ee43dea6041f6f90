"""The JSON Schemas of the types of events, by the path in `dataschema`."""

from __future__ import annotations

import re
from collections.abc import Mapping

import orjson

from contracts.core.suggestions import did_you_mean
from contracts.domain.registry import AGGREGATES
from gateway.documents.asyncapi import schemas
from gateway.documents.schemas import Schema
from gateway.http.errors import Refusal

DIALECT = "https://json-schema.org/draft/2020-12/schema"
VERSIONS: Mapping[str, int] = {one.type: one.version for each in AGGREGATES for one in each.events}
"""The current version of each type of event."""

_REFERENCE = re.compile(rb'"#/components/schemas/([^"]+)"')


def event_schema(event_type: str, version: str) -> Schema:
    """Return the self-contained schema of the data of an event.

    Raises:
        Refusal: the type does not exist, or the version is not the current one.
    """
    if event_type not in VERSIONS:
        hint = did_you_mean(event_type, VERSIONS)
        raise Refusal(404, f"There is no event type {event_type[:80]!r}{hint}")
    address = f"/schemas/{event_type}/{VERSIONS[event_type]}"
    if version != str(VERSIONS[event_type]):
        raise Refusal(404, f"Events of type {event_type} are served in the shape of {address}")
    return {"$schema": DIALECT, "$id": address, "title": event_type, **_complete(event_type)}


def _complete(event_type: str) -> Schema:
    """Return a schema with the definitions that it refers to."""
    all_schemas = schemas()
    needed: dict[str, Schema] = {}
    waiting = _references(all_schemas[event_type])
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed[name] = all_schemas[name]
            waiting |= _references(all_schemas[name])
    whole = {**all_schemas[event_type], **({"$defs": needed} if needed else {})}
    placed: Schema = orjson.loads(_REFERENCE.sub(rb'"#/$defs/\1"', orjson.dumps(whole)))
    return placed


def _references(schema: Schema) -> set[str]:
    return {name.decode() for name in _REFERENCE.findall(orjson.dumps(schema))}
