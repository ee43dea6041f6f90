"""Takes runs from the queue under a lease and drives them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from contracts.core.commit import Recorded
from contracts.core.event import Event
from contracts.core.outcome import LeaseLost, Retry
from contracts.domain import run
from contracts.domain.payer import payer_of
from contracts.domain.run import RUN
from contracts.runtime.consumer.delivery import Delivery
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, Stream
from executor import metrics
from executor.ask_webhooks import request_webhooks
from executor.driver import Driver
from executor.run_log import log_event
from executor.run_slots import RunSlots
from executor.waits import utc_now
from executor.workload import Workload, Workloads


class Leased(NamedTuple):
    """A run whose lease this process holds."""

    stream: Stream[run.State]
    payer: str | None
    """The actor who pays for the models, see contracts.domain.payer."""


class Executor:
    """All runs of this process. `name` is unique among all executor processes, past and present."""

    def __init__(self, source: Log, workloads: Workloads, name: str) -> None:
        self.log = source
        self.name = name
        self._workloads = workloads
        self._slots = {kind: RunSlots(workload.max_runs) for kind, workload in workloads.items()}
        self._drivers: dict[str, Driver] = {}

    async def handle(self, recorded: Recorded, delivery: Delivery) -> None:
        """Take a pending run, and drive it until it ends or another executor takes it over.

        Raises:
            Retry: this process is stopping; another executor should continue at once.
            LeaseLost: another executor has the run, and acknowledges the message.
        """
        run_id = recorded.commit.aggregate_id
        if run_id in self._drivers:
            await self._wait_until_released(run_id)
        leased = await self._open(recorded, delivery)
        if leased is None or leased.stream.state.status not in run.OPEN:
            return
        stream = leased.stream
        await request_webhooks(stream, stream.state.asks.open.values())
        async with self._slots[stream.state.kind].one():
            await self._drive(leased, self._workloads[stream.state.kind], delivery.lease)
        if stream.state.status is run.Status.RUNNING:
            raise LeaseLost(f"another executor has taken over {stream.id}")

    async def given_up(self, recorded: Recorded, error: BaseException) -> None:
        """Stop a run whose message was parked, because no executor continues it."""
        cause = f"{type(error).__name__}: {error}"
        reason = f"the executor cannot continue the run: {cause} (for details: `async-agent parked list`)"
        leased = await self._leased(recorded)
        if leased is None:
            return
        stream = leased.stream
        lease = stream.state.resumes
        while events := await stream.decide(
            lambda state: run.give_up(state, reason, utc_now()) if state.resumes == lease else []
        ):
            for event in events:
                log_event(stream, event)

    async def _drive(self, leased: Leased, workload: Workload, lease: Lease) -> None:
        stream, run_id = leased.stream, leased.stream.id
        if run_id in self._drivers:  # another message of the run arrived while this one waited
            raise Retry("this process is already executing the run", after=1)
        driver = Driver(stream, self.name, workload, lease, leased.payer)
        self._drivers[run_id] = driver
        metrics.RUNS_IN_PROGRESS.inc()
        try:
            if claim := await self._claim(stream.state, workload):
                await driver.drive(claim)
            if driver.is_owner:
                raise Retry("stopping", after=0)
        finally:
            metrics.RUNS_IN_PROGRESS.dec()
            del self._drivers[run_id]
            driver.released.set()

    def changed(self, recorded: Recorded) -> None:
        """Tell the driver of a run that a client changed the run."""
        driver = self._drivers.get(recorded.commit.aggregate_id)
        if driver:
            driver.request_refresh()

    def drain(self) -> None:
        """Start no more runs and steps; steps in progress may finish."""
        for slots in self._slots.values():
            slots.close()
        for driver in self._drivers.values():
            driver.drain()

    async def _wait_until_released(self, run_id: str) -> None:
        while driver := self._drivers.get(run_id):
            await driver.released.wait()

    async def _open(self, recorded: Recorded, delivery: Delivery) -> Leased | None:
        """The current run, or None if this message does not hold its lease."""
        if delivery.is_new and recorded.commit.version == 1:
            stream = self._stream(recorded)
            stream.fold(recorded)
            return Leased(stream, payer_of((recorded.commit,)))
        return await self._leased(recorded)

    async def _leased(self, recorded: Recorded) -> Leased | None:
        stream = self._stream(recorded)
        history = await self.log.read(RUN.name, stream.id)
        for one in history:
            stream.fold(one)
        leases = [one.seq for one in history if one.commit.state == run.Status.PENDING]
        if not leases or leases[-1] != recorded.seq:
            return None
        return Leased(stream, payer_of(one.commit for one in history))

    def _stream(self, recorded: Recorded) -> Stream[run.State]:
        origin = Origin(f"/executor/{self.name}").caused_by(recorded.commit)
        return Stream(self.log, RUN, recorded.commit.aggregate_id, origin)

    async def _claim(self, state: run.State, workload: Workload) -> Sequence[Event]:
        now = utc_now()
        if state.status is run.Status.RUNNING:
            return run.take_over(state, self.name, now, workload.policy)
        if state.is_to_continue:
            return run.go_on(state, self.name, now, workload.policy)
        return await workload.claim(state, self.name, now)


async def watch(source: Log, executor: Executor, subject_filter: str) -> None:
    """Tell the drivers about changes by clients."""
    async for batch in source.tail(subject_filter, after=await source.last_seq()):
        for recorded in batch:
            executor.changed(recorded)


async def until_drained(worker: asyncio.Task[None], executor: Executor) -> None:
    """Run `worker`. When cancelled, drain the executor before the worker."""
    try:
        await asyncio.shield(worker)
    except asyncio.CancelledError:
        executor.drain()
        worker.cancel()
        await asyncio.wait([worker])
        raise
