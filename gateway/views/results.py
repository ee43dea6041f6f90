"""Results of steps as text, including large results from the object store."""

from __future__ import annotations

import orjson

from contracts.core.event import BlobRef, Json
from contracts.runtime.blobs import BlobLost, Blobs

LOST = "(this result is lost: {})"

_NOT_AS_IT_IS = ('"', '{"$blob":')
"""First characters of stored JSON that needs conversion."""


async def result_text(value: Json, blobs: Blobs) -> str | None:
    """Return a string unchanged, and any other value as JSON text. Large values are fetched.

    Raises:
        Unavailable: the object store could not be reached.
    """
    if ref := BlobRef.of(value):
        try:
            return _text(await blobs.get(ref), ref.media_type)
        except BlobLost as error:
            return LOST.format(error)
    if value is None or isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


async def stored_text(stored: str | None, blobs: Blobs) -> str | None:
    """Return `result_text` of a stored JSON value."""
    if stored is None or not stored.startswith(_NOT_AS_IT_IS):
        return stored
    value = orjson.loads(stored)
    return value if isinstance(value, str) else await result_text(value, blobs)


async def stored_value(stored: str | None, blobs: Blobs) -> Json:
    """Parse a stored JSON value. Large values are fetched.

    Raises:
        Unavailable: the object store could not be reached.
    """
    value = None if stored is None else orjson.loads(stored)
    if ref := BlobRef.of(value):
        try:
            return await blobs.get_json(ref)
        except BlobLost as error:
            return LOST.format(error)
    return value


def _text(data: bytes, media_type: str) -> str:
    if media_type == "application/json" and data.startswith(b'"'):
        text: str = orjson.loads(data)
        return text
    return data.decode(errors="replace")
