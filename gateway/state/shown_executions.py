"""Executions with their steps as JSON: as long as nothing happens to one, it is not made again."""

from __future__ import annotations

from dataclasses import dataclass

from gateway.state.lru import Lru

KEPT = 256
"""Executions in memory: those shown last."""
LARGEST_BYTES = 64 * 1024
"""Of one that is kept."""


@dataclass(frozen=True, slots=True)
class _Shown:
    seq: int
    """Of the last commit that is in it."""
    json: bytes


class ShownExecutions:
    """The ones that were shown lately."""

    def __init__(self) -> None:
        self._kept: Lru[str, _Shown] = Lru(KEPT)

    def get(self, execution_id: str, seq: int | None) -> bytes | None:
        """The execution as it was shown, if the commit at `seq` is its last one still."""
        kept = self._kept.get(execution_id)
        return kept.json if kept and kept.seq == seq else None

    def put(self, execution_id: str, seq: int, json: bytes) -> None:
        """Remember it as it is after the commit at `seq`, unless it is too large."""
        if len(json) <= LARGEST_BYTES:
            self._kept.put(execution_id, _Shown(seq, json))
