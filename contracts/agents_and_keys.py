"""All agents and keys, kept in memory and equal to the log, with a snapshot of them in a local file."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.core.aggregate import Snapshots
from contracts.core.subjects import state_filter
from contracts.domain.agent import AGENT, Directory, DirectoryState
from contracts.domain.key import KEY
from contracts.domain.keys import Keys, KeysState
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log
from contracts.runtime.process.service import Worker
from contracts.runtime.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class State:
    """What a snapshot contains. Keys have the hashes of their secrets."""

    agents: DirectoryState
    keys: KeysState


FORM = Snapshots(version=1, state=State, longest=1 << 28)
"""A test fails if the shape of the state changes and the version does not."""


class AgentsAndKeys:
    """All agents and keys, folded from `log`. They are current after `catch_up` while the workers run."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.agents = Directory()
        self.keys = Keys()
        self.agents_follower = Follower(log, state_filter(AGENT.name), fold=self.agents.fold)
        self.keys_follower = Follower(log, state_filter(KEY.name), fold=self.keys.fold)

    @property
    def followers(self) -> Sequence[Follower]:
        """The followers of both."""
        return self.agents_follower, self.keys_follower

    async def catch_up(self) -> None:
        """Wait until all commits of agents and keys that are in the log now have been folded.

        Raises:
            Unavailable: the log could not be reached.
        """
        for follower in self.followers:
            await follower.catch_up()

    @asynccontextmanager
    async def kept_in(self, path: Path) -> AsyncGenerator[tuple[AgentsAndKeys, Worker]]:
        """Restore the snapshot in the file `path`. Yields itself, and a worker that saves snapshots.

        The keys are not current before the followers have caught up: one in the snapshot may be revoked.
        At the end of the block, when the followers have stopped, a last snapshot is saved.
        """
        snapshot = Snapshot(self._log, path, FORM, self.followers, take=self._take, restore=self._restore)
        await snapshot.restore()
        yield self, snapshot.run
        await snapshot.close()

    def _take(self) -> State:
        return State(self.agents.state, self.keys.state)

    def _restore(self, state: State) -> None:
        self.agents.restore(state.agents)
        self.keys.restore(state.keys)
