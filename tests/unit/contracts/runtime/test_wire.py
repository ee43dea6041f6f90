"""Commits as messages, with large values in the object store."""

from __future__ import annotations

import asyncio

from contracts.domain import run
from contracts.domain.run import RUN
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.log import OFFLOAD_BYTES
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.stream import Origin, transact
from tests import jobs
from tests.any_source import CODEC

LARGE = "x" * OFFLOAD_BYTES


class InPairs(MemoryBlobs):
    """An object store that answers when two values are asked for."""

    def __init__(self) -> None:
        super().__init__()
        self._pair = asyncio.Barrier(2)

    async def _fetch(self, name: str) -> bytes | None:
        async with asyncio.timeout(30):
            await self._pair.wait()
        return await super()._fetch(name)


async def test_large_values_of_one_commit_are_read_at_the_same_time() -> None:
    job = jobs.job(jobs.task(params={"text": LARGE}))
    requested = run.Requested(dag_id="d1", original_request="do it", job=job)
    inherited = run.Inherited(steps=(run.InheritedStep("001", LARGE),))
    log = MemoryLog(CODEC, InPairs())
    await transact(log, RUN, "r1", lambda _: [requested, inherited], Origin("/gateway/1"))

    (read,) = await log.read("run", "r1")

    assert read.commit.events == (requested, inherited)
