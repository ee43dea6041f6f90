"""The work after the end of a goal's run: it stores memories for the next run and calls the webhook.

It has its own durable consumer, so a slow webhook does not delay runs. It is idempotent: when a message is
delivered again, the log shows which work is already done.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from contracts.core.commit import Recorded, all_events
from contracts.core.outcome import Reject, Retry
from contracts.core.subjects import state_filter
from contracts.domain import dag, memory, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.memory import MEMORY
from contracts.domain.run import RUN, RunPolicy
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.webhook import WEBHOOK, AttemptFailed, Delivered
from contracts.runtime.consumer.delivery import Delivery
from contracts.runtime.log import Log
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Origin, Stream
from executor.after_run import metrics
from executor.after_run.run_result import SHOWN, RunResult, result_of, result_without_plan
from executor.resources import Resources
from executor.stopwatch import ms_since
from executor.tools.send_webhook import NAME as SEND_WEBHOOK
from executor.tools.tool import CallContext
from executor.waits import Waits, utc_now

NAME = "after-run"
"""Name of the durable consumer."""
ENDS = (*(state_filter(RUN.name, status) for status in SHOWN), state_filter(DAG.name, dag.Status.REJECTED))
"""Subjects of the consumer: ends of runs, and rejected plans."""
AT_ONCE = 100
"""Maximum number of ends that a process handles at once."""
LOOK_BACK = timedelta(days=7)
"""A consumer that is created on an existing log starts with ends of this age. Older ends are done, because
retries of a webhook end within hours."""


def _has_no_goal(recorded: Recorded) -> bool:
    """Whether the commit itself says that the run has no goal. Most runs have none and are skipped early."""
    last = recorded.commit.events[-1]
    return isinstance(last, run.Completed) and not last.for_goal


class AfterRun:
    """Stores memories and calls webhooks. `source`: `/executor/<name>`."""

    def __init__(self, log: Log, resources: Resources, policy: RunPolicy, source: str) -> None:
        self._log = log
        self._resources = resources
        self._policy = policy
        self._waits = Waits(policy.longest_s)
        self._source = source

    async def handle(self, recorded: Recorded, delivery: Delivery) -> None:
        """Store the memories and call the webhook of a run that ended with this commit, unless done.

        Raises:
            Retry: the webhook call failed and is retried later.
            LeaseLost: the lease expired; another process may handle the message.
        """
        require_lease = partial(delivery.lease.require, delivery.lease.term)
        origin = Origin(self._source).caused_by(recorded.commit)
        if _has_no_goal(recorded):
            return
        is_run = recorded.commit.aggregate == RUN.name
        result = await (self._of_run(recorded) if is_run else self._of_plan(recorded, origin))
        if result is None:
            return
        if result.is_final:
            await self._remember(result, recorded.seq, origin)
        if result.webhook_url is not None:
            await self._call_webhook(result, result.webhook_url, origin, require_lease)

    async def _of_run(self, recorded: Recorded) -> RunResult | None:
        """The result of the run at this commit; None if the run was deleted or has no goal."""
        run_id = recorded.commit.aggregate_id
        history = await self._log.read(RUN.name, run_id)
        if history[-1].commit.state == run.Status.DELETED:
            return None
        state = RUN.fold(all_events(one.commit for one in history if one.seq <= recorded.seq))
        if state.goal_id and SYNTHESIS in state.done:
            report = await self._resources.value(state.done[SYNTHESIS])
            state = state._replace(done={**state.done, SYNTHESIS: report})
        return result_of(run_id, state)

    async def _of_plan(self, recorded: Recorded, origin: Origin) -> RunResult | None:
        """The result of a run whose plan was rejected; None if the plan was not for a goal."""
        rejected = next((one for one in recorded.commit.events if isinstance(one, dag.Rejected)), None)
        if rejected is None:
            return None
        stream = await Stream.open(self._log, DAG, recorded.commit.aggregate_id, origin)
        return result_without_plan(stream.state.request, rejected)

    async def _remember(self, result: RunResult, ended: int, origin: Origin) -> None:
        """Store the memories of this end of the run, once. `ended`: sequence of the commit that ended it."""
        kept = await Stream.newest(self._log, MEMORY, result.goal_id, origin)
        since = await self._log.read(MEMORY.name, result.goal_id, after=ended)
        if (result.run_id, result.number) in MEMORY.fold(all_events(one.commit for one in since)).ends:
            return
        added, ending = result.memories(), result.number
        if await kept.decide(partial(memory.keep, run_id=result.run_id, added=added, ending=ending)):
            metrics.MEMORIES_KEPT.inc()

    async def _call_webhook(
        self, result: RunResult, url: str, origin: Origin, require_lease: Callable[[], None]
    ) -> None:
        delivery = await Stream.open(self._log, WEBHOOK, result.run_id, origin)
        while not (progress := delivery.state.of(result.number)).is_settled:
            wait = progress.retry_at
            if wait and (seconds := self._waits.seconds_left(result.run_id, wait)):
                raise Retry("the webhook is retried later", after=seconds)
            require_lease()
            outcome = await self._attempt(result, url, progress.attempts)
            metrics.WEBHOOK_CALLS.labels(type(outcome).__name__).inc()
            record = partial(delivery.decide, partial(webhook.settle, outcome=outcome))
            # an unrecorded call would be repeated
            await retry_forever(record, what=f"to record the call of the webhook of {result.run_id}")

    async def _attempt(self, result: RunResult, url: str, attempts: int) -> Delivered | AttemptFailed:
        begun = time.perf_counter()

        def failed(error: str, retry_at: datetime | None = None) -> AttemptFailed:
            return AttemptFailed(
                url=url,
                attempt=attempts + 1,
                error=error,
                duration_ms=ms_since(begun),
                retry_at=retry_at,
                ending=result.number,
            )

        try:
            tool = self._resources.tools.get(SEND_WEBHOOK)
            answer = await tool.invoke(
                {"url": url, "payload": result.payload()}, CallContext(result.webhook_key)
            )
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
            duration_ms=ms_since(begun),
            ending=result.number,
        )

    def _retry_at(self, attempts: int, after: float | None) -> datetime | None:
        if attempts >= self._policy.retries:
            return None
        return utc_now() + timedelta(seconds=self._policy.wait_s(attempts, random.random(), after))
