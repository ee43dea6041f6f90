"""What follows from the end of a goal's run: what it leaves for the next one is kept, its webhook is called.

Both follow from the log alone: whoever is given the ended run again goes on where it was left.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from contracts.core.commit import Recorded, all_events
from contracts.core.event import BlobRef
from contracts.core.outcome import Reject, Retry
from contracts.domain import dag, memory, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.memory import MEMORY
from contracts.domain.run import RunPolicy
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.webhook import WEBHOOK, AttemptFailed, Delivered
from contracts.runtime.log import Log
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Origin, Stream
from executor.goal.run_result import RunResult, result_of, result_without_plan
from executor.performer import Performer
from executor.tools.send_webhook import NAME as SEND_WEBHOOK
from executor.tools.tool import CallContext


class AfterRun:
    """Does it, for runs of which this process held the lease."""

    def __init__(self, log: Log, performer: Performer, policy: RunPolicy) -> None:
        self._log = log
        self._process = performer
        self._policy = policy

    async def settle(self, stream: Stream[run.State]) -> None:
        """Everything that is left to be done about a run that has ended.

        Raises:
            Retry: the webhook could not be delivered yet.
        """
        ending = result_of(stream.id, await self._with_report(stream.state))
        if ending is None:
            return
        if ending.is_final:
            await self._remember(ending, stream)
        await self._tell(ending, stream.origin)

    async def without_plan(self, recorded: Recorded, origin: Origin) -> None:
        """Everything that is to be done about a run for which there is no plan, as `recorded` says.

        Raises:
            Retry: the webhook could not be delivered yet.
        """
        requested = await Stream.open(self._log, DAG, recorded.commit.aggregate_id, origin)
        for event in recorded.commit.events:
            if isinstance(event, dag.Rejected) and (
                ending := result_without_plan(requested.state.request, event)
            ):
                await self._tell(ending, origin)

    async def _with_report(self, state: run.State) -> run.State:
        """With the report of a plan in place of the reference to it."""
        ref = BlobRef.of(state.done.get(SYNTHESIS))
        if ref is None:
            return state
        return state._replace(done={**state.done, SYNTHESIS: await self._process.blobs.get_json(ref)})

    async def _remember(self, ending: RunResult, ended: Stream[run.State]) -> None:
        kept = await Stream.newest(self._log, MEMORY, ending.goal_id, ended.origin)
        since = await self._log.read(MEMORY.name, ending.goal_id, after=ended.seq)
        if ending.run_id in MEMORY.fold(all_events(one.commit for one in since)).runs:
            return
        await kept.decide(partial(memory.keep, run_id=ending.run_id, added=ending.memories()))

    async def _tell(self, ending: RunResult, origin: Origin) -> None:
        if ending.webhook_url is None:
            return
        delivery = await Stream.open(self._log, WEBHOOK, ending.run_id, origin)
        while not (told := delivery.state.of(ending.number)).is_settled:
            wait = told.retry_at
            if wait and (seconds := (wait - datetime.now(UTC)).total_seconds()) > 0:
                raise Retry("the webhook is to be called again", after=seconds)
            came = await self._call(ending, ending.webhook_url, told.attempts)
            record = partial(delivery.decide, partial(webhook.settle, came=came))
            # a process that forgets that it called the webhook would call it again
            await retry_forever(record, what=f"to record the call of the webhook of {ending.run_id}")

    async def _call(self, ending: RunResult, url: str, attempts: int) -> Delivered | AttemptFailed:
        begun = time.perf_counter()
        failed = partial(_failed, ending, attempts + 1, begun)
        params = {"url": url, "payload": ending.payload()}
        try:
            tool = self._process.tools.get(SEND_WEBHOOK)
            answer = await tool.invoke(params, CallContext(ending.webhook_key))
        except Retry as why:
            return failed(str(why), self._retry_at(attempts, why.after))
        except Reject as why:
            return failed(str(why))
        if not answer["success"]:
            return failed(f"HTTP {answer['status']}: {answer['statusText']}")
        return Delivered(
            url=url,
            attempt=attempts + 1,
            status=answer["status"],
            duration_ms=_ms_since(begun),
            ending=ending.number,
        )

    def _retry_at(self, attempts: int, after: float | None) -> datetime | None:
        if attempts >= self._policy.retries:
            return None
        return datetime.now(UTC) + timedelta(seconds=self._policy.wait_s(attempts, random.random(), after))


def _failed(
    ending: RunResult, attempt: int, begun: float, error: str, retry_at: datetime | None = None
) -> AttemptFailed:
    return AttemptFailed(
        url=ending.webhook_url or "",
        attempt=attempt,
        error=error,
        duration_ms=_ms_since(begun),
        retry_at=retry_at,
        ending=ending.number,
    )


def _ms_since(begun: float) -> int:
    return round((time.perf_counter() - begun) * 1000)
