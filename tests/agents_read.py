"""Which commits of agents a process reads."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from contracts.core.commit import Recorded
from contracts.domain.agent import Directory


def agents_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequences of the commits of agents that processes fold from now on."""
    read: list[int] = []
    fold = Directory.fold

    def noting(self: Directory, recorded: Sequence[Recorded]) -> None:
        read.extend(one.seq for one in recorded)
        fold(self, recorded)

    monkeypatch.setattr(Directory, "fold", noting)
    return read
