"""A fork is stored, read and folded like any other run, and shares the large results of its original."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from contracts.core.commit import all_events
from contracts.core.event import BlobRef, Event, Json
from contracts.domain import run
from contracts.domain.run import RUN, Changes, ForkedFrom, StepChange
from contracts.runtime.blobs import Blobs, MemoryBlobs
from contracts.runtime.log import Log
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.stream import Origin, Stream, transact
from contracts.runtime.wire import Format
from tests import jobs
from tests.any_source import CODEC as ANY_SOURCE

ORIGIN = Origin("/gateway/1")
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LARGE = "x" * 100_000
STEPS = 300


def wide(count: int) -> run.Requested:
    """Independent steps, and one after all of them."""
    tasks = [jobs.task(f"{n:04}") for n in range(count)]
    last = jobs.task("last", needs=tuple(task["id"] for task in tasks))
    return run.Requested(dag_id="d", original_request="do it", job=jobs.job(*tasks, last))


async def executed(log: Log, run_id: str, request: run.Requested, result: Json) -> Stream[run.State]:
    """A run that is suspended because its last step failed."""
    stream = Stream(log, RUN, run_id, ORIGIN)
    steps = [task.id for task in request.job.sub_tasks if task.id != "last"]
    await stream.append([request])
    await stream.append(
        [run.Started(executor="e", at=NOW, synthesis="merge"), run.StepsStarted(steps=tuple(steps))]
    )
    for first in range(0, len(steps), 50):
        done: list[Event] = [run.StepCompleted(step=id_, result=result) for id_ in steps[first : first + 50]]
        await stream.append(done)
    broke = run.StepFailed(step="last", attempt=1, error="broke")
    await stream.append([run.StepsStarted(steps=("last",)), broke, run.Suspended(reason="broke")])
    return stream


async def forked(log: Log, original: Stream[run.State], fork_id: str) -> Stream[run.State]:
    changes = Changes(steps={"last": StepChange(params={"path": "other"})})
    origin = ForkedFrom(run_id=original.id, replaces=True)
    events = run.fork(original.state, changes, origin, NOW)
    await original.decide(lambda state: run.replace(state, fork_id, NOW))
    return await transact(log, RUN, fork_id, lambda state: [] if state.request else events, ORIGIN)


class ForkBehaviour:
    """Each test is one rule."""

    async def test_a_fork_shares_large_results_and_lives_without_its_original(
        self, log: Log, blobs: Blobs
    ) -> None:
        ref = await blobs.store_if_large(LARGE)
        original = await executed(log, "dag-exec_1", wide(2), ref)
        await forked(log, original, "dag-exec_2")
        await original.decide(run.delete)

        fork = await Stream.open(log, RUN, "dag-exec_2", ORIGIN)

        assert fork.state.done == {"0000": ref, "0001": ref}
        shared = BlobRef.of(fork.state.done["0000"])
        assert shared
        assert await blobs.get_json(shared) == LARGE
        assert fork.state.ready == ("last",)

    async def test_a_fork_of_many_steps_with_results_is_one_commit(self, log: Log) -> None:
        original = await executed(log, "dag-exec_1", wide(STEPS), "r" * 5_000)

        fork = await forked(log, original, "dag-exec_2")

        (recorded,) = await log.read("run", "dag-exec_2")
        assert recorded.commit.state == run.Status.PENDING
        assert len(fork.state.done) == STEPS
        assert RUN.fold(all_events([recorded.commit])) == fork.state

    async def test_a_run_is_replaced_by_one_fork_only(self, log: Log) -> None:
        original = await executed(log, "dag-exec_1", wide(1), "r")
        other = await Stream.open(log, RUN, "dag-exec_1", ORIGIN)
        await forked(log, original, "dag-exec_2")

        with pytest.raises(run.InvalidFork, match="was replaced by dag-exec_2"):
            await other.decide(lambda state: run.replace(state, "dag-exec_3", NOW))


class TestMemoryLog(ForkBehaviour):
    @pytest.fixture
    def blobs(self) -> Blobs:
        return MemoryBlobs()

    @pytest.fixture
    def log(self, blobs: Blobs) -> Log:
        return MemoryLog(ANY_SOURCE, blobs)


@pytest.mark.nats
class TestNatsLog(ForkBehaviour):
    @pytest.fixture
    def blobs(self, connection: Connection) -> Blobs:
        return NatsBlobs(connection)

    @pytest.fixture
    def log(self, connection: Connection, blobs: Blobs) -> Log:
        return NatsLog(connection, Format(ANY_SOURCE, blobs))
