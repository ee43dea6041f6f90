"""The work after the end of a goal's run: it stores memories for the next run and calls the webhook. The
webhook is also called about questions to a person.

It has its own durable consumer, so a slow webhook does not delay runs. It is idempotent: when a message is
delivered again, the log shows which work is already done.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial

from contracts.core.commit import Recorded, all_events
from contracts.core.subjects import state_filter
from contracts.domain import dag, memory, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.memory import MEMORY
from contracts.domain.run import RUN, RunPolicy
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.webhook import WEBHOOK
from contracts.runtime.consumer.delivery import Delivery
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, Stream
from executor.after_run import metrics
from executor.after_run.asked import asked_call
from executor.after_run.run_result import SHOWN, RunResult, result_of, result_without_plan
from executor.after_run.webhook_calls import WebhookCall, WebhookCalls
from executor.resources import Resources

NAME = "after-run"
"""Name of the durable consumer."""
SUBJECTS = (
    *(state_filter(RUN.name, status) for status in SHOWN),
    state_filter(DAG.name, dag.Status.REJECTED),
    state_filter(WEBHOOK.name, webhook.Status.REQUESTED),
)
"""Subjects of the consumer: ends of runs, rejected plans, and webhook calls about questions."""
AT_ONCE = 100
"""Maximum number of ends that a process handles at once."""
LOOK_BACK = timedelta(days=7)
"""A consumer that is created on an existing log starts with ends of this age. Older ends are done, because
retries of a webhook end within hours."""


def _has_no_goal(recorded: Recorded) -> bool:
    """Whether the commit itself says that the run has no goal. Most runs have none and are skipped early."""
    last = recorded.commit.events[-1]
    return isinstance(last, run.Completed) and not last.for_goal


def _call(result: RunResult, url: str) -> WebhookCall:
    return WebhookCall(
        result.run_id, url, key=result.webhook_key, payload=result.payload(), ending=result.number
    )


class AfterRun:
    """Stores memories and calls webhooks.

    `source`: `/executor/<name>`. `public_url`: address of the API as others reach it; may be empty.
    """

    def __init__(
        self, log: Log, resources: Resources, policy: RunPolicy, source: str, public_url: str = ""
    ) -> None:
        self._log = log
        self._resources = resources
        self._webhooks = WebhookCalls(log, resources, policy)
        self._source = source
        self._public_url = public_url

    async def handle(self, recorded: Recorded, delivery: Delivery) -> None:
        """Store the memories and call the webhook of a run that ended or asks with this commit, unless done.

        Raises:
            Retry: the webhook call failed and is retried later.
            LeaseLost: the lease expired; another process may handle the message.
        """
        require_lease = partial(delivery.lease.require, delivery.lease.term)
        origin = Origin(self._source).caused_by(recorded.commit)
        if recorded.commit.aggregate == WEBHOOK.name:
            await self._tell_asks(recorded, origin, require_lease)
        elif not _has_no_goal(recorded):
            await self._after_end(recorded, origin, require_lease)

    async def _after_end(self, recorded: Recorded, origin: Origin, require_lease: Callable[[], None]) -> None:
        is_run = recorded.commit.aggregate == RUN.name
        result = await (self._of_run(recorded) if is_run else self._of_plan(recorded, origin))
        if result is None:
            return
        if result.is_final:
            await self._remember(result, recorded.seq, origin)
        if result.webhook_url is not None:
            await self._webhooks.make(_call(result, result.webhook_url), origin, require_lease)

    async def _tell_asks(self, recorded: Recorded, origin: Origin, require_lease: Callable[[], None]) -> None:
        """Make the calls about questions that this commit requests, unless the questions are closed."""
        for requested in recorded.commit.events:
            if isinstance(requested, webhook.Requested):
                run_id, _, _ = run.parse_ask_id(requested.ask)
                history = await self._log.read(RUN.name, run_id)
                state = RUN.fold(all_events(one.commit for one in history))
                if call := asked_call(requested, state, self._public_url):
                    await self._webhooks.make(call, origin, require_lease)

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
