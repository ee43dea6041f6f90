"""Blobs in a JetStream object store (ADR-20). A lost acknowledgement cannot lose or duplicate data.

The chunks of the blob with hash H are the messages on `$O.blobs.C.H`. Each chunk is appended only if the
previous chunk is the last message there. So a chunk that is sent twice, or by two writers, is stored once.
The meta message on `$O.blobs.M.<H in base64>` names the subject of the chunks. It is written after them, and
then the blob is read back.

Nothing is removed. If the messages on `$O.blobs.C.H` are not the beginning of the blob, because a message was
lost or is foreign, the blob is written again on `$O.blobs.C.H-2`, and the meta message names that subject.

Any client of NATS object stores can read these blobs: `nats object get blobs H`.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from itertools import count
from typing import NamedTuple, TypeVar

import orjson

from contracts.core.event import Json
from contracts.runtime.blobs import Blobs
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.direct import Stored, stored
from contracts.runtime.nats.existence import from_stream
from contracts.runtime.nats.leader import all_of, last_of
from contracts.runtime.nats.publish import EXPECTED_LAST, WrongLastSequence, publish
from contracts.runtime.nats.retry import NoAnswer, retry_until
from contracts.runtime.nats.storage import Storage
from contracts.runtime.wire import COPIED

T = TypeVar("T")

BUCKET = "blobs"
CHUNK_BYTES = 128 * 1024
ATTEMPT_S = 2.0
"""Seconds after which a message without an acknowledgement is sent again."""
DEADLINE_S = 30.0
_STREAM = f"OBJ_{BUCKET}"
_ROLLUP = {"Nats-Rollup": "sub"}
"""Headers of a meta message: it replaces the previous one."""


class _Meta(NamedTuple):
    """The newest meta message of a name."""

    seq: int
    """Stream sequence of the last message on the subject; 0: there is none."""
    chunks: str | None
    """Last token of the subject of the chunks; None if no blob has this name."""
    number: int = 0
    """Number of chunks. Further messages on their subject are not part of the blob."""


class NatsBlobs(Blobs):
    """Blobs in the object store that `ensure_topology` creates."""

    def __init__(
        self,
        connection: Connection,
        *,
        replicated: bool = False,
        deadline_s: float = DEADLINE_S,
        attempt_s: float = ATTEMPT_S,
    ) -> None:
        self._connection = connection
        self._storage = Storage(connection, partial(publish, connection), replicated=replicated)
        self._deadline_s = deadline_s
        self._attempt_s = attempt_s

    async def _store(self, name: str, data: bytes) -> None:
        await self._answer(partial(self._put, name, data))

    async def _fetch(self, name: str) -> bytes | None:
        return await self._answer(partial(self._get, name))

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await retry_until(
            partial(from_stream, self._connection, _STREAM, ask), deadline_s=self._deadline_s
        )

    async def _put(self, name: str, data: bytes) -> None:
        """Write the missing parts of the blob. Chunks from an earlier attempt are reused."""
        meta = await self._meta(name)
        if meta.chunks and await self._content(name, meta.chunks, meta.number) == data:
            return
        try:
            chunks = await self._write_chunks(name, _split(data))
            await self._publish(
                _meta_subject(name), _meta_message(name, chunks, data), after=meta.seq, headers=_ROLLUP
            )
        except WrongLastSequence as error:
            raise NoAnswer(f"another writer or an earlier attempt wrote first: {error}") from error
        if await self._get(name) != data:
            raise NoAnswer(f"blob {name} cannot be read back")

    async def _get(self, name: str) -> bytes | None:
        meta = await self._meta(name)
        return await self._content(name, meta.chunks, meta.number) if meta.chunks else None

    async def _meta(self, name: str) -> _Meta:
        """The meta message. Messages on its subject that the server sent there for somebody are skipped."""
        subject = _meta_subject(name)
        last = await last_of(self._connection, _STREAM, subject)
        if last is None:
            return _Meta(0, None)
        if meta := _meta_in(last, last.seq):
            return meta
        metas = [_meta_in(one, last.seq) for one in await all_of(self._connection, _STREAM, subject)]
        return next(filter(None, reversed(metas)), _Meta(last.seq, None))

    async def _content(self, name: str, chunks: str, number: int) -> bytes:
        """The stored bytes, read from any replica; if that one lacks some, from the leader."""
        subject = _chunk_subject(chunks)
        data = _joined(await stored(self._connection, _STREAM, subject, count=number))
        if sha256(data).hexdigest() == name:
            return data
        return _joined((await all_of(self._connection, _STREAM, subject))[:number])

    async def _write_chunks(self, name: str, payloads: Sequence[bytes]) -> str:
        """Write the missing chunks. Returns the last token of their subject."""
        for chunks in _chunk_names(name):
            subject = _chunk_subject(chunks)
            present = await stored(self._connection, _STREAM, subject)
            if [one.payload for one in present] == list(payloads[: len(present)]):
                last = present[-1].seq if present else 0
                for payload in payloads[len(present) :]:
                    last = await self._publish(subject, payload, after=last)
                return chunks
        raise AssertionError("_chunk_names is infinite")

    async def _publish(
        self, subject: str, payload: bytes, *, after: int, headers: dict[str, str] | None = None
    ) -> int:
        expecting = {EXPECTED_LAST: str(after), **(headers or {})}
        store = self._storage.store_or_confirm_failure
        return await store(subject, payload, expecting, timeout_s=self._attempt_s)


def _chunk_names(name: str) -> Iterator[str]:
    """Names under which the chunks may be stored, in order of preference. Infinite."""
    yield name
    for number in count(2):
        yield f"{name}-{number}"


def _chunk_subject(chunks: str) -> str:
    return f"$O.{BUCKET}.C.{chunks}"


def _meta_subject(name: str) -> str:
    return f"$O.{BUCKET}.M.{urlsafe_b64encode(name.encode()).decode()}"


def _meta_message(name: str, chunks: str, data: bytes) -> bytes:
    return orjson.dumps(
        {
            "name": name,
            "bucket": BUCKET,
            "nuid": chunks,
            "size": len(data),
            "chunks": len(_split(data)),
            "digest": f"SHA-256={urlsafe_b64encode(sha256(data).digest()).decode()}",
            "mtime": datetime.now(UTC),
            "options": {"max_chunk_size": CHUNK_BYTES},
        },
        option=orjson.OPT_UTC_Z,
    )


def _meta_in(message: Stored, last_seq: int) -> _Meta | None:
    """The meta message in `message`, the last message on its subject being `last_seq`; None if it is none."""
    try:
        meta: Json = orjson.loads(message.payload)
    except orjson.JSONDecodeError:
        return None
    if COPIED in message.headers or not isinstance(meta, dict) or "nuid" not in meta:
        return None
    chunks, number = meta["nuid"], meta.get("chunks")
    if meta.get("deleted") or not (isinstance(chunks, str) and chunks and isinstance(number, int)):
        return _Meta(last_seq, None)
    return _Meta(last_seq, chunks, number)


def _split(data: bytes) -> list[bytes]:
    return [data[start : start + CHUNK_BYTES] for start in range(0, len(data), CHUNK_BYTES)]


def _joined(messages: Iterable[Stored]) -> bytes:
    return b"".join(one.payload for one in messages)
