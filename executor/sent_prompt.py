"""What an attempt has sent to a model.

The request is stored in the object store while the model answers, and the event that ends the attempt names
it. A prompt cannot be computed again from the state: it also depends on the time, the tools and settings of
that executor, on cuts, and on the version of the code.
"""

from __future__ import annotations

import asyncio
from functools import partial

import orjson
import structlog

from contracts.core.event import Json
from contracts.runtime.blobs import Blobs
from contracts.runtime.nats.retry import retry_forever

logger = structlog.get_logger(__name__)


class SentPrompt:
    """Stores the request of one attempt to a model while the model answers."""

    def __init__(self) -> None:
        self._storing: asyncio.Task[Json] | None = None

    def store(self, body: Json, blobs: Blobs) -> None:
        """Begin to store `body` instead of an earlier request of the attempt, which the model has refused."""
        self.close()
        self._storing = asyncio.create_task(_stored(body, blobs))

    async def reference(self) -> Json:
        """Wait until the request is stored, and return `{"$blob": …}`; None if no model was asked."""
        return await self._storing if self._storing else None

    @property
    def is_sent(self) -> bool:
        """Whether a model was asked."""
        return self._storing is not None

    def close(self) -> None:
        """Stop storing."""
        if self._storing:
            self._storing.cancel()


async def _stored(body: Json, blobs: Blobs) -> Json:
    put = partial(blobs.put_json, body)
    try:
        return (await retry_forever(put, what="to store a prompt")).as_json()
    except orjson.JSONEncodeError as error:
        logger.warning("a prompt is not stored", error=str(error))
    except Exception:
        logger.exception("a prompt is not stored")
    return None
