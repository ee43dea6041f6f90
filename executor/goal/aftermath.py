"""What follows from the end of a goal run: what it leaves for the next one is kept, its webhook is called.

Both follow from the log alone: whoever is given the ended run again goes on where it was left.
"""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from functools import partial

from contracts import memory, run, webhook
from contracts.event import Json
from contracts.memory import MEMORY, Kind, Memory
from contracts.outcome import Reject, Retry
from contracts.run import Loop, Policy
from contracts.runtime.log import Conflict, Log
from contracts.runtime.stream import Stream
from contracts.webhook import WEBHOOK, AttemptFailed, Delivered
from executor.goal.remember import NAME as REMEMBER
from executor.tools.registry import Registry
from executor.tools.tool import ToolCall

ENDED = frozenset({run.Status.COMPLETED, run.Status.FAILED})
SEND = "sendWebhook"


class Aftermath:
    """Does it."""

    def __init__(self, log: Log, tools: Registry, policy: Policy) -> None:
        self._log = log
        self._tools = tools
        self._policy = policy

    async def settle(self, stream: Stream[run.State]) -> None:
        """Everything that is left to be done about a run.

        Raises:
            Retry: the webhook could not be delivered yet.
        """
        state = stream.state
        if state.loop is None or state.status not in ENDED:
            return
        await self._remember(stream, state.loop)
        if state.loop.request.webhook_url:
            await self._tell(stream, state.loop, state.loop.request.webhook_url)

    async def _remember(self, stream: Stream[run.State], loop: Loop) -> None:
        kept = await Stream.newest(self._log, MEMORY, loop.request.goal_id, stream.origin)
        while events := memory.keep(kept.state, stream.id, left_by(stream.id, loop)):
            try:
                await kept.append(events)
            except Conflict:
                await kept.refresh()

    async def _tell(self, stream: Stream[run.State], loop: Loop, url: str) -> None:
        delivery = await Stream.open(self._log, WEBHOOK, stream.id, stream.origin)
        while not delivery.state.is_settled:
            wait = delivery.state.retry_at
            if wait and (seconds := (wait - datetime.now(UTC)).total_seconds()) > 0:
                raise Retry("the webhook is to be called again", after=seconds)
            came = await self._call(stream, loop, url, delivery.state.attempts)
            try:
                await delivery.append(webhook.settle(delivery.state, came))
            except Conflict:
                await delivery.refresh()

    async def _call(
        self, stream: Stream[run.State], loop: Loop, url: str, attempts: int
    ) -> Delivered | AttemptFailed:
        begun = time.perf_counter()
        failed = partial(_failed, url, attempts + 1, begun)
        payload = payload_of(stream.id, stream.state, loop)
        try:
            tool = self._tools.get(SEND)
            call = ToolCall(f"{stream.id}/webhook")
            answer = await tool.invoke({"url": url, "payload": payload}, call)
        except Retry as why:
            return failed(str(why), self._retry_at(attempts, why.after))
        except Reject as why:
            return failed(str(why))
        if not answer["success"]:
            return failed(f"HTTP {answer['status']}: {answer['statusText']}")
        return Delivered(url=url, attempt=attempts + 1, status=answer["status"], duration_ms=_ms_since(begun))

    def _retry_at(self, attempts: int, after: float | None) -> datetime | None:
        if attempts >= self._policy.retries:
            return None
        seconds = max(self._policy.backoff(attempts, random.random()), after or 0)
        return datetime.now(UTC) + timedelta(seconds=seconds)


def left_by(run_id: str, loop: Loop) -> list[Memory]:
    """What a run leaves for the next one of its goal; its summary comes last."""
    left = []
    for turn in loop.turns:
        for position, answer in sorted(turn.answers.items()):
            call = turn.taken.calls[position]
            if answer.output and answer.output.kind == "file":
                left.append(Memory(type=Kind.ARTIFACT, content=answer.output.content, run_id=run_id))
            elif call.name == REMEMBER and answer.error is None and "fact" in call.arguments:
                left.append(Memory(type=Kind.FACT, content=str(call.arguments["fact"]), run_id=run_id))
    if loop.summary is not None:
        left.append(Memory(type=Kind.NOTE, content=loop.summary, run_id=run_id))
    return left


def payload_of(run_id: str, state: run.State, loop: Loop) -> dict[str, Json]:
    """What the webhook is told: the same at every attempt."""
    outputs = [answer.output for turn in loop.turns for answer in turn.answers.values() if answer.output]
    return {
        "type": f"run.{state.status.value}",
        "data": {
            "runId": run_id,
            "goalId": loop.request.goal_id,
            "objective": loop.request.objective,
            "status": state.status.value,
            "summary": loop.summary,
            "error": loop.error,
            "stepsExecuted": len(loop.turns),
            "startedAt": state.started_at.isoformat() if state.started_at else None,
            "outputs": [{"kind": one.kind, "pathOrPayload": one.content} for one in outputs],
        },
    }


def _failed(
    url: str, attempt: int, begun: float, error: str, retry_at: datetime | None = None
) -> AttemptFailed:
    return AttemptFailed(
        url=url, attempt=attempt, error=error, duration_ms=_ms_since(begun), retry_at=retry_at
    )


def _ms_since(begun: float) -> int:
    return round((time.perf_counter() - begun) * 1000)
