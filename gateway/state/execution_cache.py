"""Executions with their steps as JSON, kept until something happens to them."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.state.lru import Lru

KEPT = 256
"""Executions in memory: the ones used last."""
LARGEST_BYTES = 64 * 1024
"""Larger executions are not kept."""


@dataclass(frozen=True, slots=True)
class _Kept:
    seq: int
    """Stream sequence of the last commit that the JSON includes."""
    json: bytes


class ExecutionCache:
    """The executions that were read last."""

    def __init__(self) -> None:
        self._kept: Lru[str, _Kept] = Lru(KEPT)

    def get(self, execution_id: str, seq: int | None) -> bytes | None:
        """The JSON of an execution whose last commit is the one at `seq`, if it is kept."""
        kept = self._kept.get(execution_id)
        return kept.json if kept and kept.seq == seq else None

    def put(self, execution_id: str, seq: int, json: bytes) -> None:
        """Keep the JSON of an execution as of the commit at `seq`, unless it is too large."""
        if len(json) <= LARGEST_BYTES:
            self._kept.put(execution_id, _Kept(seq, json))
