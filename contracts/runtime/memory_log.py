"""A log in memory for tests. It follows the rules of the real log and stores encoded messages."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256

from contracts.core.codec import Codec, Undecodable
from contracts.core.commit import Commit, Recorded
from contracts.core.ids import new_id
from contracts.core.subjects import aggregate_filter
from contracts.runtime.blobs import Blobs, MemoryBlobs
from contracts.runtime.continuity import WAY_OUT
from contracts.runtime.log import Conflict, Halted, LogState, Unavailable
from contracts.runtime.wire import PUBLISHED, Format, Wire, is_published, place_in


@dataclass(frozen=True, slots=True)
class _Message:
    seq: int
    commit_id: str
    subject: str
    payload: bytes
    headers: Mapping[str, str]


class MemoryLog:
    """A Log in the memory of one process."""

    def __init__(self, codec: Codec, blobs: Blobs | None = None) -> None:
        self.format = Format(codec, blobs or MemoryBlobs())
        self._messages: list[_Message] = []
        self._aggregates: defaultdict[str, list[_Message]] = defaultdict(list)
        self._grown = asyncio.Condition()
        self._acks_to_lose = 0
        self._state = LogState(created=new_id(), last_seq=0)

    def lose_acks(self, count: int = 1) -> None:
        """Make the next `count` appends store the commit and then raise Unavailable."""
        self._acks_to_lose = count

    async def append(self, commit: Commit, *, after: int) -> int:
        """See Log.append."""
        wire = await self.format.encode(commit, after)
        if self._state.halted:
            raise Halted(self._state.halted)
        seq = self._store(commit.id, wire, after)
        async with self._grown:
            self._grown.notify_all()
        if self._acks_to_lose:
            self._acks_to_lose -= 1
            raise Unavailable("the ack was lost")
        return seq

    async def read(self, aggregate: str, aggregate_id: str, *, after: int = 0) -> Sequence[Recorded]:
        """See Log.read."""
        messages = self._aggregates[aggregate_filter(aggregate, aggregate_id)]
        commits = [one for one in messages if one.seq > after and is_published(one.headers)]
        return [await self._recorded(one) for one in commits]

    async def newest(self, aggregate: str, aggregate_id: str) -> Recorded | None:
        """See Log.newest."""
        message = self._newest_commit(aggregate_filter(aggregate, aggregate_id))
        if message is None:
            return None
        recorded = await self._recorded(message)
        return replace(recorded, commit=replace(recorded.commit, place=place_in(message.headers)))

    async def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        """See Log.tail."""
        while True:
            async with self._grown:
                while not (found := self._matching(after, filters)):
                    await self._grown.wait()
            after = found[-1].seq
            yield [await self._decode_or_skip(one) for one in found]

    async def last_seq(self, *filters: str) -> int:
        """See Log.last_seq."""
        found = self._matching(0, filters)
        return found[-1].seq if found else 0

    async def state(self) -> LogState:
        """See Log.state."""
        return self._state

    async def state_and_digest(self, seq: int) -> tuple[LogState, str | None]:
        """See Log.state_and_digest."""
        found = next((one for one in self._messages if one.seq == seq), None)
        return self._state, sha256(found.payload).hexdigest() if found else None

    async def halt(self, reason: str) -> None:
        """See Log.halt."""
        self._state = replace(self._state, halted=reason)

    async def problem(self) -> str | None:
        """See Log.problem."""
        return f"{self._state.halted}. {WAY_OUT}" if self._state.halted else None

    async def accept(self) -> None:
        """Accept commits again after `halt`."""
        self._state = replace(self._state, halted="", accepted=datetime.now(UTC).isoformat())

    def cut(self, last_seq: int) -> None:
        """Drop all messages above `last_seq` and reuse their sequences, like a damaged store."""
        self._state = replace(self._state, last_seq=last_seq)
        self._retain(lambda message: message.seq <= last_seq)

    async def inject(self, subject: str, payload: bytes, headers: Mapping[str, str] = PUBLISHED) -> int:
        """Store any message on a subject of the log, by default like a writer. Returns its sequence."""
        _, aggregate, aggregate_id, _ = subject.split(".")
        self._state = replace(self._state, last_seq=self._state.last_seq + 1)
        message = _Message(self._state.last_seq, new_id(), subject, payload, headers)
        self._messages.append(message)
        self._aggregates[aggregate_filter(aggregate, aggregate_id)].append(message)
        async with self._grown:
            self._grown.notify_all()
        return message.seq

    def remove(self, seq: int) -> None:
        """Delete one message, like an operator."""
        self._retain(lambda message: message.seq != seq)

    def _retain(self, wanted: Callable[[_Message], bool]) -> None:
        self._messages = [one for one in self._messages if wanted(one)]
        for messages in self._aggregates.values():
            messages[:] = [one for one in messages if wanted(one)]

    def _store(self, commit_id: str, wire: Wire, after: int) -> int:
        messages = self._aggregates[wire.filter]
        for message in reversed(messages):
            if message.commit_id == commit_id:
                return message.seq
        newest = self._newest_commit(wire.filter)
        last = newest.seq if newest else 0
        if last != after:
            raise Conflict(f"{wire.filter}: the last commit is {last}, not {after}")
        self._state = replace(self._state, last_seq=self._state.last_seq + 1)
        message = _Message(self._state.last_seq, commit_id, wire.subject, wire.payload, wire.headers)
        self._messages.append(message)
        messages.append(message)
        return message.seq

    def _newest_commit(self, subject_filter: str) -> _Message | None:
        messages = reversed(self._aggregates[subject_filter])
        return next((one for one in messages if is_published(one.headers)), None)

    def _matching(self, after: int, filters: Sequence[str]) -> list[_Message]:
        return [
            message
            for message in self._messages[bisect_right(self._messages, after, key=_seq_of) :]
            if not filters or any(matches(message.subject, one) for one in filters)
        ]

    async def _decode_or_skip(self, message: _Message) -> Recorded:
        try:
            return await self._recorded(message)
        except Undecodable:
            return Recorded.nothing(message.seq, message.payload)

    async def _recorded(self, message: _Message) -> Recorded:
        commit = await self.format.decode(message.subject, message.payload, message.headers)
        return Recorded(message.seq, commit, message.payload)


def _seq_of(message: _Message) -> int:
    return message.seq


def matches(subject: str, subject_filter: str) -> bool:
    """Whether NATS would deliver `subject` to a subscription on `subject_filter`."""
    tokens, wanted = subject.split("."), subject_filter.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(tokens) <= len(wanted):
            return False
    elif len(tokens) != len(wanted):
        return False
    return all(want in ("*", token) for token, want in zip(tokens, wanted, strict=False))
