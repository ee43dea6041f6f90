"""Keys of a system without its API: the first key is created directly in the log of the data directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from secrets import token_hex

from contracts.api.keys import KeyCreate, KeyIssued, KeyPatch, KeyRotate, KeyRow
from contracts.core import subjects
from contracts.core.actors import of_service
from contracts.core.event import Event
from contracts.domain import key
from contracts.domain.key import KEY, SECRET_BYTES
from contracts.domain.keys import Keys
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, transact

NAME = "operator"
"""Name of the command line in the source and the actor of its commits."""


class KeysInLog:
    """The same operations as `contracts.client.keys.Keys`, on the log instead of the API."""

    def __init__(self, log: Log) -> None:
        self._log = log

    async def find(self) -> list[KeyRow]:
        """See client.Keys.find."""
        now = datetime.now(UTC)
        return [KeyRow.of(entry, now) for entry in (await self._keys()).all()]

    async def create(self, wanted: KeyCreate) -> KeyIssued:
        """See client.Keys.create."""
        secret, id_ = token_hex(SECRET_BYTES), key.key_id(wanted.name)
        event, budget = wanted.event(secret), wanted.budget
        created = partial(key.create, wanted=event, now=datetime.now(UTC), budget=budget)
        return await self._issued(id_, created, secret)

    async def update(self, key_id: str, changes: KeyPatch) -> KeyRow:
        """See client.Keys.update."""
        await self._decide(key_id, partial(key.set_budget, changes=changes.changes))
        return KeyRow.of((await self._keys()).require(key_id), datetime.now(UTC))

    async def rotate(self, key_id: str, wanted: KeyRotate) -> KeyIssued:
        """See client.Keys.rotate."""
        secret, now = token_hex(SECRET_BYTES), datetime.now(UTC)
        rotated = partial(key.rotate, wanted=wanted.event(secret, now), now=now)
        return await self._issued(key_id, rotated, secret)

    async def revoke(self, key_id: str) -> None:
        """See client.Keys.revoke."""
        await self._decide(key_id, key.revoke)

    async def _issued(
        self, id_: str, decide: Callable[[key.State], Sequence[Event]], secret: str
    ) -> KeyIssued:
        await self._decide(id_, decide)
        entry = (await self._keys()).require(id_)
        return KeyIssued.of(entry, datetime.now(UTC), key=key.text_of(id_, secret))

    async def _decide(self, id_: str, decide: Callable[[key.State], Sequence[Event]]) -> None:
        await transact(self._log, KEY, id_, decide, Origin(f"/{NAME}/cli", actor=of_service(NAME)))

    async def _keys(self) -> Keys:
        """Fold all commits of keys that are in the log now."""
        keys, wanted = Keys(), subjects.state_filter(KEY.name)
        newest = await self._log.last_seq(wanted)
        if newest:
            async for batch in self._log.tail(wanted, after=0):
                keys.fold(batch)
                if batch[-1].seq >= newest:
                    break
        return keys
