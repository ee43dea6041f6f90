"""A process that has a snapshot reads only what came after it, and uses no snapshot that may be wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pytest
from structlog.testing import capture_logs

from contracts.core.aggregate import Snapshots
from contracts.core.commit import Recorded
from contracts.runtime import snapshot, snapshot_file
from contracts.runtime.follow import Follower
from contracts.runtime.log import Log, LogState, Unavailable
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.snapshot import Snapshot
from tests.behaviour.both_logs import OnMemory, OnNats
from tests.behaviour.tails import Inject

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters

POSITIVE, ZERO = "evt.counter.*.positive", "evt.counter.*.zero"
FORM = Snapshots(version=1, state=dict[str, int])


@pytest.fixture(autouse=True)
def _after_each_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshot, "COMMITS", 1)


class Process:
    """One process after another: each has its own memory, all have the same file."""

    def __init__(self, log: Log, path: Path, form: Snapshots[dict[str, int]] = FORM) -> None:
        self.totals: dict[str, int] = {}
        """How many commits left each counter in its state."""
        self.read: list[int] = []
        """Sequences that this process has read from the log."""
        self.followers = [Follower(log, one, fold=self._fold) for one in (POSITIVE, ZERO)]
        self._path, self._form = path, form
        self.snapshot = self.saved_by(log)

    def saved_by(self, log: Log) -> Snapshot[dict[str, int]]:
        """Its snapshot, which asks `log` what is the newest commit."""
        return Snapshot(log, self._path, self._form, self.followers, take=self._take, restore=self._restore)

    def _fold(self, batch: Sequence[Recorded]) -> None:
        for one in batch:
            self.read.append(one.seq)
            self.totals[one.commit.aggregate_id] = self.totals.get(one.commit.aggregate_id, 0) + 1

    def _take(self) -> dict[str, int]:
        return self.totals

    def _restore(self, totals: dict[str, int]) -> None:
        self.totals = totals

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """It has read all that is in the log, and saves a snapshot at its end."""
        await self.snapshot.restore()
        workers = [asyncio.create_task(one.run()) for one in self.followers]
        for follower in self.followers:
            await follower.catch_up()
        yield
        for worker in workers:
            worker.cancel()
        await asyncio.wait(workers)
        await self.snapshot.close()


class Interrupted:
    """A log that calls `then` after it has told the digest of a message for the first time."""

    def __init__(self, log: Log, then: Callable[[], Awaitable[None]]) -> None:
        self._log = log
        self._then = [then]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    async def state_and_digest(self, seq: int) -> tuple[LogState, str | None]:
        found = await self._log.state_and_digest(seq)
        while self._then:
            await self._then.pop()()
        return found


class SnapshotBehaviour:
    """Each test is one rule."""

    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        return tmp_path / "folder" / "one.snapshot"

    async def test_the_next_process_reads_only_later_commits(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        await log.append(counters.commit("a"), after=0)
        await log.append(counters.commit("z", state="zero"), after=0)
        await log.append(counters.commit("other", state="ignored"), after=0)
        async with Process(log, path).running():
            pass
        later = await log.append(counters.commit("b"), after=0)
        second = Process(log, path)
        async with second.running():
            assert second.read == [later]
            assert second.totals == {"a": 1, "z": 1, "b": 1}
        third = Process(log, path)
        async with third.running():
            assert third.read == []
            assert third.totals == {"a": 1, "z": 1, "b": 1}

    async def test_a_follower_that_lags_behind_continues_where_it_was(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        await log.append(counters.commit("a"), after=0)
        first = Process(log, path)
        async with first.running():
            pass
        later = await log.append(counters.commit("z", state="zero"), after=0)
        newest = await log.append(counters.commit("other", state="ignored"), after=0)
        await first.snapshot.save()
        header, _ = snapshot_file.read(path)
        assert header.included == {POSITIVE: newest, ZERO: later - 1}
        second = Process(log, path)
        async with second.running():
            assert second.totals == {"a": 1, "z": 1}

    @pytest.mark.parametrize(
        "damage",
        [
            pytest.param(lambda content: b"", id="empty"),
            pytest.param(lambda content: content[:-1], id="truncated"),
            pytest.param(lambda content: content[:80] + b"\x00" + content[81:], id="another byte"),
            pytest.param(lambda content: b"\xff\n" + content, id="garbage"),
        ],
    )
    async def test_a_damaged_file_is_not_used(
        self, log: Log, counters: Counters, path: Path, damage: Callable[[bytes], bytes]
    ) -> None:
        await self._saved(log, counters, path)
        path.write_bytes(damage(path.read_bytes()))
        await self._reads_all(log, path, "it is damaged")

    async def test_a_file_of_another_version_of_the_software_is_not_used(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        await self._saved(log, counters, path)
        header, text = snapshot_file.read(path)
        snapshot_file.write(path, replace(header, program="0.0.1"), text)
        await self._reads_all(log, path, "version 0.0.1 of the software wrote it")

    async def test_a_file_with_another_version_of_the_state_is_not_used(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        await self._saved(log, counters, path)
        form = Snapshots(version=2, state=dict[str, int])
        await self._reads_all(log, path, "another version of the software wrote it", form)

    async def test_a_file_of_other_followers_is_not_used(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        await self._saved(log, counters, path)
        header, text = snapshot_file.read(path)
        snapshot_file.write(path, replace(header, included={POSITIVE: 1}), text)
        await self._reads_all(log, path, "another version of the software wrote it")

    async def test_a_file_of_another_log_is_not_used(self, log: Log, counters: Counters, path: Path) -> None:
        await self._saved(log, counters, path)
        header, text = snapshot_file.read(path)
        snapshot_file.write(path, replace(header, created="2001-01-01T00:00:00Z"), text)
        await self._reads_all(log, path, "it belongs to another log")

    async def test_a_file_with_a_commit_that_the_log_does_not_have_is_not_used(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        """The log ends before it, or has another one there: it was damaged, or is an older backup."""
        await self._saved(log, counters, path)
        header, text = snapshot_file.read(path)
        for other in (replace(header.mark, digest="0"), replace(header.mark, seq=10**6)):
            snapshot_file.write(path, replace(header, mark=other), text)
            await self._reads_all(log, path, f"the log no longer has the message {other.seq}")

    async def test_the_log_must_still_have_all_that_is_included(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        """Also a commit that came while the snapshot was taken."""
        await log.append(counters.commit("a"), after=0)
        process = Process(log, path)

        async def meanwhile() -> None:
            await log.append(counters.commit("b"), after=0)
            await process.followers[0].catch_up()

        process.snapshot = process.saved_by(cast("Log", Interrupted(log, meanwhile)))
        async with process.running():
            await process.snapshot.save()
            header, _ = snapshot_file.read(path)
        assert process.totals == {"a": 1, "b": 1}
        assert header.mark.seq == header.included[POSITIVE] == await log.last_seq()

    async def test_a_state_without_an_event_that_could_not_be_read_is_not_saved(
        self, log: Log, counters: Counters, path: Path, inject: Inject
    ) -> None:
        """A newer version can read the event."""
        commit = counters.codec.encode(counters.commit("a"))
        await inject("evt.counter.a.positive", commit.replace(b"counter.added", b"counter.moved"))
        async with Process(log, path).running():
            pass
        assert not path.exists()

    async def test_a_folder_that_cannot_be_written_is_reported_once_and_stops_nothing(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        path.parent.write_text("a file where a folder should be")
        await log.append(counters.commit("a"), after=0)
        process = Process(log, path)
        with capture_logs() as lines:
            async with process.running():
                await process.snapshot.save()
                await process.snapshot.save()
        assert process.totals == {"a": 1}
        told = [line["event"] for line in lines if "snapshot" in line["event"]]
        assert len(told) == len(set(told))
        assert "cannot save a snapshot; the next start reads the whole log" in told

    async def test_only_the_owner_may_read_the_file_and_nothing_else_is_left(
        self, log: Log, counters: Counters, path: Path
    ) -> None:
        await self._saved(log, counters, path)
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(path.parent.iterdir()) == [path]

    async def _saved(self, log: Log, counters: Counters, path: Path) -> None:
        """A file that includes a commit of a follower, and a later one that nobody follows."""
        await log.append(counters.commit("a"), after=0)
        await log.append(counters.commit("other", state="ignored"), after=0)
        async with Process(log, path).running():
            pass
        second = Process(log, path)
        async with second.running():
            assert second.read == []

    async def _reads_all(
        self, log: Log, path: Path, reason: str, form: Snapshots[dict[str, int]] = FORM
    ) -> None:
        process = Process(log, path, form)
        content = path.read_bytes()
        with capture_logs() as lines:
            async with process.running():
                assert process.read == [1]
                assert process.totals == {"a": 1}
        (line,) = [line for line in lines if "snapshot" in line["event"]]
        assert line["event"] == "not using the snapshot; reading the whole log"
        assert reason in line["reason"]
        path.write_bytes(content)


class TestSnapshotOnMemory(OnMemory, SnapshotBehaviour):
    async def test_a_state_with_a_commit_that_the_log_has_lost_is_not_saved(
        self, log: MemoryLog, counters: Counters, path: Path
    ) -> None:
        """The log was replaced by an older copy, and has grown since."""
        for name in ("a", "b"):
            await log.append(counters.commit(name), after=0)
        process = Process(log, path)
        with capture_logs() as lines:
            async with process.running():
                log.cut(1)
                for name in ("c", "d"):
                    await log.append(counters.commit(name, state="ignored"), after=0)
        assert process.totals == {"a": 1, "b": 1}
        assert not path.exists()
        assert "it has a different commit there now" in lines[-1]["reason"]


class TestSnapshotOnNats(OnNats, SnapshotBehaviour):
    pass


class AbsentLog(MemoryLog):
    """Does not answer."""

    async def state(self) -> Any:
        raise Unavailable("away")

    async def last_seq(self, *filters: str) -> int:
        raise Unavailable("away")


async def test_a_log_that_does_not_answer_stops_nothing(counters: Counters, tmp_path: Path) -> None:
    path = tmp_path / "one.snapshot"
    log = MemoryLog(counters.codec)
    await log.append(counters.commit("a"), after=0)
    async with Process(log, path).running():
        pass
    process = Process(AbsentLog(counters.codec), path)
    await process.snapshot.restore()
    assert process.totals == {}
    await process.snapshot.close()
    assert path.exists()
