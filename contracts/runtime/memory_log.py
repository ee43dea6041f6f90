"""The log in memory: the same rules as the real one, for tests. It keeps what would go over the wire."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from contracts.core.commit import Codec, Commit, Recorded
from contracts.core.subjects import EVERYTHING, aggregate_filter
from contracts.runtime.blobs import Blobs, MemoryBlobs
from contracts.runtime.log import Conflict, Unavailable
from contracts.runtime.wire import Format, Wire


@dataclass(frozen=True, slots=True)
class _Message:
    seq: int
    commit_id: str
    subject: str
    payload: bytes


class MemoryLog:
    """A Log of one process."""

    def __init__(self, codec: Codec, blobs: Blobs | None = None) -> None:
        self.format = Format(codec, blobs or MemoryBlobs())
        self._messages: list[_Message] = []
        self._aggregates: defaultdict[str, list[_Message]] = defaultdict(list)
        self._grown = asyncio.Condition()
        self._acks_to_lose = 0

    def lose_acks(self, count: int = 1) -> None:
        """Let the next `count` appends land and raise Unavailable all the same."""
        self._acks_to_lose = count

    async def append(self, commit: Commit, *, after: int) -> int:
        """See Log.append."""
        wire = await self.format.encode(commit, after)
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
        return [await self._recorded(one) for one in messages if one.seq > after]

    async def tail(self, *filters: str, after: int = 0) -> AsyncGenerator[Sequence[Recorded]]:
        """See Log.tail."""
        while True:
            async with self._grown:
                while not (found := self._matching(after, filters)):
                    await self._grown.wait()
            after = found[-1].seq
            yield [await self._recorded(one) for one in found]

    async def last_seq(self, *filters: str) -> int:
        """See Log.last_seq."""
        found = self._matching(0, filters)
        return found[-1].seq if found else 0

    def _store(self, commit_id: str, wire: Wire, after: int) -> int:
        messages = self._aggregates[wire.filter]
        for message in reversed(messages):
            if message.commit_id == commit_id:
                return message.seq
        last = messages[-1].seq if messages else 0
        if last != after:
            raise Conflict(f"{wire.filter}: the last sequence is {last}, not {after}")
        message = _Message(len(self._messages) + 1, commit_id, wire.subject, wire.payload)
        self._messages.append(message)
        messages.append(message)
        return message.seq

    def _matching(self, after: int, filters: Sequence[str]) -> list[_Message]:
        return [
            message
            for message in self._messages[after:]
            if any(matches(message.subject, one) for one in filters or (EVERYTHING,))
        ]

    async def _recorded(self, message: _Message) -> Recorded:
        return Recorded(message.seq, await self.format.decode(message.payload))


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
