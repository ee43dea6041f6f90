"""A cache of large values from the object store."""

from __future__ import annotations

from collections import OrderedDict

from contracts.core.event import BlobRef, Json
from contracts.runtime.blobs import Blobs

ROOM = 64 * 1024 * 1024
"""Maximum bytes in the cache. The least recently used values are removed."""


class Values:
    """Cached values by hash. They never become stale, because a hash always names the same value."""

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
        self._cache(ref, value)
        return value

    def _cache(self, ref: BlobRef, value: Json) -> None:
        if ref.blob in self._kept:  # another task fetched it meanwhile
            return
        self._kept[ref.blob] = ref.size, value
        self._left -= ref.size
        while self._left < 0:
            _, (size, _) = self._kept.popitem(last=False)
            self._left += size
