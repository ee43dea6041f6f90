"""The log on JetStream: one stream, one message per commit, an optimistic lock per aggregate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from hashlib import sha256
from typing import TypeVar

import structlog
from nats.js.errors import APIError

from contracts.core.codec import Codec, Forged, Undecodable
from contracts.core.commit import Commit, Recorded
from contracts.core.event import Json
from contracts.core.subjects import STREAM, aggregate_filter
from contracts.runtime.continuity import WAY_OUT, Continuity, LogRegressed
from contracts.runtime.durability import check_durability
from contracts.runtime.history import History
from contracts.runtime.log import Conflict, Halted, LogState, StorageFailed, Unavailable
from contracts.runtime.nats import leader, stream_state
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats.existence import from_stream, info_of
from contracts.runtime.nats.few import few
from contracts.runtime.nats.group_commit import GroupCommit
from contracts.runtime.nats.ordered import Ordered
from contracts.runtime.nats.publish import WrongLastSequence
from contracts.runtime.nats.replies import Denied
from contracts.runtime.nats.retry import NoAnswer, retry_forever, retry_until
from contracts.runtime.nats.storage import Storage
from contracts.runtime.nats.uninterrupted import uninterrupted
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.process.settings import Settings
from contracts.runtime.skip_reporter import SkipReporter
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import COMMIT_ID, Format, Wire, is_published, place_in

logger = structlog.get_logger(__name__)

T = TypeVar("T")

STILL_WRITING = 10158
"""JetStream's error code while the replicas still store an earlier attempt of the same commit."""
MESSAGE_TOO_LARGE = 10054
"""JetStream's error code for a message above the stream's size limit; a halted stream's is 1 byte."""
ATTEMPT_S = 2.0
"""Seconds to wait for an acknowledgement before the commit is sent again. Duplicates are detected."""
NO_NATS = "NATS does not answer; start it, or set NATS_URL to its address"


class Refused(Exception):
    """JetStream rejects the commit permanently. A retry does not help."""


class NotStored(NoAnswer):
    """A commit is not in the log yet."""


class NatsLog:
    """A Log on the stream that `ensure_topology` creates."""

    def __init__(
        self,
        connection: Connection,
        form: Format,
        *,
        replicated: bool = False,
        deadline_s: float = 30.0,
    ) -> None:
        self.connection = connection
        self.format = form
        self._history = History(connection, replicated=replicated)
        self._skip_reporter = SkipReporter(connection)
        self.replicated = replicated
        self._storage = Storage(connection, GroupCommit(connection).publish, replicated=replicated)
        self._deadline_s = deadline_s
        self._continuity = Continuity(self, connection, confirm_after_s=(1.0, 2.0, 4.0) if replicated else ())

    async def append(self, commit: Commit, *, after: int) -> int:
        """See Log.append."""
        wire = await self.format.encode(commit, after)
        seq = await self._answer(partial(self._publish, wire, after))
        self._continuity.record_seen(seq, wire.payload)
        return seq

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        """See Log.read."""
        subject_filter = aggregate_filter(aggregate, aggregate_id)
        read = partial(self._history.since, subject_filter, after)
        found = await self._read(read)
        return [await self.recorded(one.seq, one.subject, one.payload, one.headers) for one in found]

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        """See Log.newest."""
        found = await self._read(partial(self._history.newest, aggregate_filter(aggregate, aggregate_id)))
        if found is None:
            return None
        recorded = await self.recorded(found.seq, found.subject, found.payload, found.headers)
        return replace(recorded, commit=replace(recorded.commit, place=place_in(found.headers)))

    async def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        """See Log.tail."""
        if len(filters) == 1 and not after and not self.replicated:
            found, after = await few(self.connection, STREAM, filters[0])
            if found:
                self._continuity.record_seen(found[-1].seq, found[-1].payload)
                yield [
                    await self._decode_or_skip(one.seq, one.subject, one.payload, one.headers)
                    for one in found
                ]
        ordered = Ordered(self.connection, STREAM, filters or (">",), after, self._continuity.check)
        async with aclosing(ordered.batches()) as batches:
            async for batch in batches:
                place, msg = batch[-1]
                self._continuity.record_seen(place.seq, msg.data)
                yield [
                    await self._decode_or_skip(at.seq, one.subject, one.data, one.headers or {})
                    for at, one in batch
                ]

    async def last_seq(self, *filters: str) -> int:
        """See Log.last_seq."""
        if filters:
            last = [await self._answer(partial(self._history.last, one)) for one in filters]
            return max((one.seq for one in last if one), default=0)

        async def ask() -> int:
            return await stream_state.newest(self.connection, STREAM, await self._info())

        return await self._read(ask)

    async def state(self) -> LogState:
        """See Log.state."""
        return stream_state.state_of(await self._answer(self._info))

    async def state_and_digest(self, seq: int) -> tuple[LogState, str | None]:
        """See Log.state_and_digest."""

        async def ask() -> tuple[LogState, str | None]:
            state = stream_state.state_of(await self._info())
            message = await leader.message_at(self.connection, STREAM, seq) if seq else None
            return state, sha256(message.payload).hexdigest() if message else None

        return await self._read(ask)

    async def halt(self, reason: str) -> None:
        """See Log.halt."""
        logger.error("halting the log: it refuses all commits from now on", reason=reason, way_out=WAY_OUT)
        halt = partial(stream_state.halt, self.connection, STREAM, reason)
        try:
            await self._answer(halt)
        except Denied:
            logger.warning("this service may not halt the log; the projector, which reads all of it, may")

    async def accept(self) -> None:
        """Accept commits again after `halt`. Readers that have read lost commits start from the current log.

        Raises:
            Unavailable: the log could not be reached.
        """
        accept = partial(stream_state.accept, self.connection, STREAM)
        await self._answer(accept)

    async def problem(self) -> str | None:
        """See Log.problem."""
        if not self.connection.is_connected:
            return NO_NATS
        try:
            state = stream_state.state_of(await self._info())
            storage_problem = await self._storage.problem(state.last_seq)
        except NoAnswer as error:
            return f"NATS does not answer: {error}"
        except Unavailable as error:
            return str(error)
        return f"{state.halted}. {WAY_OUT}" if state.halted else storage_problem

    async def recorded(self, seq: int, subject: str, payload: bytes, headers: Mapping[str, str]) -> Recorded:
        """Decode message `seq` of the log, which is on `subject`.

        Raises:
            Undecodable: the message is not a commit.
            Forged: the commit does not belong on `subject`, or its source may not write it.
            Unavailable: an offloaded value could not be read from the object store.
        """
        try:
            return Recorded(seq, await self.format.decode(subject, payload, headers), payload)
        except Undecodable as error:
            wrong = "is forged" if isinstance(error, Forged) else "is not a commit"
            raise type(error)(
                f"message {seq} of the log {wrong}: {error}. Remove it with `nats stream rmm {STREAM} {seq}`"
            ) from error

    async def _decode_or_skip(
        self, seq: int, subject: str, payload: bytes, headers: Mapping[str, str]
    ) -> Recorded:
        """Decode a message for `tail`. Skip a message that is not a commit; retry on other errors."""
        try:
            decode = partial(self.recorded, seq, subject, payload, headers)
            recorded = await retry_forever(decode, what="to read the log")
        except Undecodable as error:
            await self._skip_reporter.report_broken(seq, subject, payload, error)
            return Recorded.nothing(seq, payload)
        self._skip_reporter.report_unread(recorded)
        return recorded

    async def _info(self) -> Json:
        return await info_of(self.connection, STREAM, WAY_OUT)

    async def _answer(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Call `ask` until NATS answers.

        Raises:
            Unavailable: no answer before the deadline, or the stream does not exist.
        """
        asked = partial(from_stream, self.connection, STREAM, ask, WAY_OUT)
        return await retry_until(asked, deadline_s=self._deadline_s)

    async def _read(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Like `_answer`. All answers that `ask` gets are from one log."""
        return await self._answer(partial(uninterrupted, self.connection, ask))

    async def _publish(self, wire: Wire, after: int) -> int:
        await self._check_continuity()
        timeout_s = min(ATTEMPT_S, self._deadline_s)
        try:
            return await self._storage.store(wire.subject, wire.payload, wire.headers, timeout_s=timeout_s)
        except WrongLastSequence:
            return await self._landed_before(wire, after)
        except StorageFailed as failure:
            return await self._stored_after_all(wire, after, failure)
        except APIError as error:
            if error.err_code == STILL_WRITING:
                raise NoAnswer(error.description) from error
            if error.err_code == MESSAGE_TOO_LARGE and (halted := (await self.state()).halted):
                raise Halted(f"{halted}. {WAY_OUT}") from error
            raise Refused(
                f"{wire.subject}: {error.description} (JetStream error {error.err_code})"
            ) from error

    async def _check_continuity(self) -> None:
        try:
            await self._continuity.check_if_required()
        except LogRegressed as error:
            raise Halted(f"{error}. {WAY_OUT}") from error

    async def _stored_after_all(self, wire: Wire, after: int, failure: StorageFailed) -> int:
        """Return the sequence of the commit in `wire` if it is in the log although the server seems to fail.

        Raises:
            StorageFailed: it is not in the log.
            NoAnswer: it is unknown whether it is in the log. A server that is only slow looks like this.
        """
        try:
            seq = await self._landed_before(wire, after)
        except NotStored:
            raise failure from None
        except NoAnswer:
            self._storage.works()
            raise
        self._storage.works()
        return seq

    async def _landed_before(self, wire: Wire, after: int) -> int:
        """Return the sequence of the commit in `wire` if an earlier attempt stored it but its ack was lost.

        A stream with one replica checks the expected sequence before the duplicate id; a replicated stream
        checks the duplicate id first. A stored commit is the first of its aggregate after `after`. If only
        messages that are not commits follow there, the commit is sent again to be stored after them.

        Raises:
            Conflict: another commit is stored there.
            NotStored: no commit is stored there.
            NoAnswer: it is unknown which commit is stored there.
        """
        end = after
        while first := await leader.first_of(self.connection, STREAM, wire.filter, after=end):
            if first.headers.get(COMMIT_ID) == wire.headers[COMMIT_ID]:
                return first.seq
            if is_published(first.headers):
                raise Conflict(f"{wire.filter}: the last commit is not {after}")
            end = first.seq
        last = await leader.last_of(self.connection, STREAM, wire.filter)
        if (last.seq if last else 0) != end:
            raise Conflict(f"{wire.filter}: the last commit is not {after}")
        if end == wire.expected:
            raise NotStored("another commit of the same aggregate is still being written")
        return await self._publish(wire.expecting(end), after)


@asynccontextmanager
async def nats_log(settings: Settings, codec: Codec, *, name: str) -> AsyncGenerator[NatsLog]:
    """Connect to the log at `settings.nats_url` as `name`; create and check its streams and buckets."""
    async with connect(settings.nats_url, name=f"{name}/{settings.instance}") as connection:
        await check_durability(connection, settings)
        replicas = await ensure_topology(connection, replicas=settings.nats_replicas)
        replicated = replicas > 1
        form = Format(codec, NatsBlobs(connection, replicated=replicated))
        yield NatsLog(connection, form, replicated=replicated)
