"""Large values, fetched from the object store once while there is room for them."""

from __future__ import annotations

from collections import OrderedDict

from contracts.core.event import BlobRef, Json
from contracts.runtime.blobs import Blobs

ROOM = 64 * 1024 * 1024
"""Bytes of stored values that a process keeps: those used most recently."""


class Values:
    """Values by their hash: what a hash names never changes."""

    def __init__(self, blobs: Blobs, room: int = ROOM) -> None:
        self._blobs = blobs
        self._left = room
        self._kept: OrderedDict[str, tuple[int, Json]] = OrderedDict()

    async def get(self, ref: BlobRef) -> Json:
        """The value that `ref` names. It is shared: do not change it."""
        if ref.blob in self._kept:
            self._kept.move_to_end(ref.blob)
            return self._kept[ref.blob][1]
        value = await self._blobs.get_json(ref)
        self._keep(ref, value)
        return value

    def _keep(self, ref: BlobRef, value: Json) -> None:
        if ref.blob in self._kept:  # somebody else fetched it meanwhile
            return
        self._kept[ref.blob] = ref.size, value
        self._left -= ref.size
        while self._left < 0:
            _, (size, _) = self._kept.popitem(last=False)
            self._left += size
