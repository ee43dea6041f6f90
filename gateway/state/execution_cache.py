"""A cache of executions with their steps as JSON."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.state.lru import Lru

KEPT = 256
"""Maximum number of cached executions."""
LARGEST_BYTES = 64 * 1024
"""Maximum size of a cached execution."""


@dataclass(frozen=True, slots=True)
class _Cached:
    seq: int
    """Stream sequence of the last commit that the JSON includes."""
    json: bytes


class ExecutionCache:
    """Caches the most recently read executions."""

    def __init__(self) -> None:
        self._kept: Lru[str, _Cached] = Lru(KEPT)

    def get(self, execution_id: str, seq: int | None) -> bytes | None:
        """Return the cached JSON of an execution whose last commit is at `seq`, or None."""
        kept = self._kept.get(execution_id)
        return kept.json if kept and kept.seq == seq else None

    def put(self, execution_id: str, seq: int, json: bytes) -> None:
        """Cache the JSON of an execution as of the commit at `seq`, unless it is too large."""
        if len(json) <= LARGEST_BYTES:
            self._kept.put(execution_id, _Cached(seq, json))
