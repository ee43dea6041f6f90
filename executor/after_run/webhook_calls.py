"""Calls the webhook of a goal until the receiver accepts the call, or it fails finally."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.domain import webhook
from contracts.domain.run import RunPolicy
from contracts.domain.webhook import WEBHOOK, AttemptFailed, Delivered
from contracts.runtime.log import Log
from contracts.runtime.nats.retry import retry_forever
from contracts.runtime.stream import Origin, Stream
from executor.after_run import metrics
from executor.resources import Resources
from executor.stopwatch import ms_since
from executor.tools.send_webhook import NAME as SEND_WEBHOOK
from executor.tools.tool import CallContext
from executor.waits import Waits, utc_now


@dataclass(frozen=True, slots=True)
class WebhookCall:
    """A call to make, the same in every attempt."""

    id: str
    """Id of the aggregate with its attempts."""
    url: str
    key: str
    """The idempotency key."""
    payload: Mapping[str, Json]
    ending: int = 0
    """Number of the end of the run that it is about."""
    ask: str | None = None
    """Id of the question that it is about."""


class WebhookCalls:
    """Makes calls. Attempts are in the log, so another process goes on where this one stopped."""

    def __init__(self, log: Log, resources: Resources, policy: RunPolicy) -> None:
        self._log = log
        self._resources = resources
        self._policy = policy
        self._waits = Waits(policy.longest_s)

    async def make(self, call: WebhookCall, origin: Origin, require_lease: Callable[[], None]) -> None:
        """Make a call, unless it is settled.

        Raises:
            Retry: the call failed and is retried later.
            LeaseLost: the lease expired; another process may make the call.
        """
        delivery = await Stream.open(self._log, WEBHOOK, call.id, origin)
        while not (progress := delivery.state.of(call.ending)).is_settled:
            wait = progress.retry_at
            if wait and (seconds := self._waits.seconds_left(call.id, wait)):
                raise Retry("the webhook is retried later", after=seconds)
            require_lease()
            outcome = await self._attempt(call, progress.attempts)
            metrics.WEBHOOK_CALLS.labels(type(outcome).__name__).inc()
            record = partial(delivery.decide, partial(webhook.settle, outcome=outcome))
            # an unrecorded call would be repeated
            await retry_forever(record, what=f"to record the call of the webhook of {call.id}")

    async def _attempt(self, call: WebhookCall, attempts: int) -> Delivered | AttemptFailed:
        begun = time.perf_counter()
        about = {"url": call.url, "attempt": attempts + 1, "ending": call.ending, "ask": call.ask}

        def failed(error: str, retry_at: datetime | None = None) -> AttemptFailed:
            return AttemptFailed(**about, error=error, duration_ms=ms_since(begun), retry_at=retry_at)

        try:
            tool = self._resources.tools.get(SEND_WEBHOOK)
            answer = await tool.invoke(
                {"url": call.url, "payload": dict(call.payload)}, CallContext(call.key)
            )
        except Retry as why:
            return failed(str(why), self._retry_at(attempts, why.after))
        except Reject as why:
            return failed(str(why))
        if not answer["success"]:
            return failed(f"HTTP {answer['status']}: {answer['statusText']}")
        return Delivered(**about, status=answer["status"], duration_ms=ms_since(begun))

    def _retry_at(self, attempts: int, after: float | None) -> datetime | None:
        if attempts >= self._policy.retries:
            return None
        return utc_now() + timedelta(seconds=self._policy.wait_s(attempts, random.random(), after))
