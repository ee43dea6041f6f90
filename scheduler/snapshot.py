"""The snapshot of a scheduler: the schedules, keys and expiries that it has folded from the log."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from contracts.core.aggregate import Snapshots
from contracts.domain.keys import KeysState
from contracts.runtime.log import Log
from contracts.runtime.snapshot import Snapshot
from scheduler.active_schedules import OwnerStates
from scheduler.expiries import Expiries
from scheduler.scheduler import Scheduler


@dataclass(frozen=True, slots=True)
class State:
    """The state of a scheduler."""

    owners: OwnerStates
    keys: KeysState
    agenda: tuple[tuple[datetime, str], ...]
    """Times of expiries, and the ids of their runs."""


FORM = Snapshots(version=1, state=State, longest=1 << 28)
"""A test fails if the shape of the state changes and the version does not."""


def snapshot_of(log: Log, path: Path, scheduler: Scheduler, expiries: Expiries) -> Snapshot[State]:
    """The snapshot in the file `path` of what `scheduler` and `expiries` have folded."""

    def take() -> State:
        return State(*scheduler.folded, tuple(expiries.agenda))

    def restore(state: State) -> None:
        scheduler.restore(state.owners, state.keys)
        expiries.restore(state.agenda)

    followers = [*scheduler.followers, expiries.follower]
    return Snapshot(log, path, FORM, followers, take=take, restore=restore)
