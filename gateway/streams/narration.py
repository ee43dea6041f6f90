"""What a live stream needs of whoever tells it: commits in, events for clients out. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from contracts.core.commit import Recorded
from contracts.core.event import Json

Told = dict[str, Json]
"""One event: `type`, whose it is, `timestamp` (milliseconds since 1970) and the fields of its type."""

LONGEST_NUMBER = 15
"""Digits that every JSON reader keeps exactly."""


class Narration(Protocol):
    """One run, told from its first commit on. Give it every commit of its sources, in order."""

    run_id: str
    seq: int
    """Stream sequence of the last commit told."""
    ending: Told | None
    """The event that told the end, once it has come."""

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """Aggregates, by name and id, whose commits are told. What follows from one comes after it."""
        ...

    @property
    def is_known(self) -> bool:
        """Whether there is such a run."""
        ...

    @property
    def standing(self) -> Told:
        """Where it stands, in the API's words."""
        ...

    def follows(self, recorded: Recorded) -> bool:
        """Whether no commit is missing between those told and this one."""
        ...

    def tell(self, recorded: Recorded) -> list[Told]:
        """What clients see of the next commit."""
        ...

    def event(self, name: str, at: int, fields: Told) -> Told:
        """One event of this run."""
        ...

    def update(self, at: int, standing: Told | None = None) -> Told:
        """The event that tells where it stands, by default now."""
        ...

    def naming(self, step: str) -> Told:
        """How events name a step of it."""
        ...
