"""A process knows the agents and keys of the log, also those that changed after its snapshot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from contracts.agents_and_keys import AgentsAndKeys
from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import agent, key
from contracts.domain.agent import AGENT
from contracts.domain.key import KEY
from contracts.runtime import snapshot
from contracts.runtime.log import Log
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.wire import Format
from tests.any_source import CODEC

ORIGIN = Origin("/test/1")
IDS = {name: key.key_id(name) for name in ("a", "b")}


@pytest.fixture(autouse=True)
def _after_each_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "COMMITS", 1)


@asynccontextmanager
async def process(log: Log, path: Path) -> AsyncGenerator[AgentsAndKeys]:
    """A process that has caught up. It saves a snapshot at its end."""
    async with AgentsAndKeys(log).kept_in(path) as (known, _):
        workers = [asyncio.create_task(one.run()) for one in known.followers]
        await known.catch_up()
        yield known
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)


async def key_event(log: Log, name: str, *events: Event) -> None:
    await (await Stream.open(log, KEY, IDS[name], ORIGIN)).append(events)


async def agent_event(log: Log, id_: str, *events: Event) -> None:
    await (await Stream.open(log, AGENT, id_, ORIGIN)).append(events)


def created(name: str) -> key.Created:
    return key.Created(name=name, scopes=(Scope.READ,), secret_sha256=key.hashed(name))


def statuses(known: AgentsAndKeys) -> Sequence[tuple[str, str]]:
    return [(one.state.name, one.state.status) for one in known.keys.all()]


class AgentsAndKeysBehaviour:
    """Each test is one rule."""

    async def test_a_key_that_was_revoked_or_created_after_the_snapshot_counts(
        self, log: Log, tmp_path: Path
    ) -> None:
        path = tmp_path / "one.snapshot"
        await key_event(log, "a", created("a"))
        async with process(log, path):
            pass
        await key_event(log, "a", key.Revoked())
        await key_event(log, "b", created("b"))
        async with AgentsAndKeys(log).kept_in(path) as (known, _):
            assert statuses(known) == [("a", "active")], "the snapshot was used, and nothing was read yet"
        async with process(log, path) as known:
            assert statuses(known) == [("a", "revoked"), ("b", "active")]

    async def test_the_version_that_was_activated_after_the_snapshot_is_the_active_one(
        self, log: Log, tmp_path: Path
    ) -> None:
        path = tmp_path / "one.snapshot"
        for number in ("1", "2"):
            wanted = agent.Created(name="x", version_name=number, prompt_template=f"prompt {number}")
            await agent_event(log, f"agent_{number}", wanted)
        await agent_event(log, "agent_1", agent.Activated(name="x"))
        async with process(log, path):
            pass
        async with AgentsAndKeys(log).kept_in(path) as (known, _):
            assert known.agents.is_active("agent_1"), "the snapshot was used"
        await agent_event(log, "agent_2", agent.Activated(name="x"))
        async with process(log, path) as known:
            active = known.agents.active("x")
            assert active is not None
            assert active.state.prompt_template == "prompt 2"
            assert not known.agents.is_active("agent_1")

    async def test_a_snapshot_of_a_log_that_has_lost_commits_is_not_used(
        self, log: Log, other: Log, tmp_path: Path
    ) -> None:
        """A key that only the other log has opens nothing here."""
        path = tmp_path / "one.snapshot"
        await key_event(other, "b", created("b"))
        async with process(other, path):
            pass
        await key_event(log, "a", created("a"))
        async with process(log, path) as known:
            assert statuses(known) == [("a", "active")]

    async def test_only_the_owner_may_read_the_hashes_of_keys(self, log: Log, tmp_path: Path) -> None:
        path = tmp_path / "one.snapshot"
        await key_event(log, "a", created("a"))
        async with process(log, path):
            pass
        assert key.hashed("a") in path.read_text()
        assert path.stat().st_mode & 0o777 == 0o600

    @pytest.fixture
    def other(self) -> MemoryLog:
        """Another log."""
        return MemoryLog(CODEC)


class TestAgentsAndKeysOnMemory(AgentsAndKeysBehaviour):
    @pytest.fixture
    def log(self) -> MemoryLog:
        return MemoryLog(CODEC)


@pytest.mark.nats
class TestAgentsAndKeysOnNats(AgentsAndKeysBehaviour):
    @pytest.fixture
    def log(self, connection: Connection) -> NatsLog:
        return NatsLog(connection, Format(CODEC, NatsBlobs(connection)))
