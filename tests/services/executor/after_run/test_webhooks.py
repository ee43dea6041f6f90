"""Webhooks about the end of a run by turns: when they are called, how often, and with what."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from prometheus_client import REGISTRY

from contracts.core.commit import Commit
from contracts.core.outcome import LeaseLost, Retry
from contracts.domain import memory, run, webhook
from contracts.domain.run import RUN, RunPolicy, Status
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Unavailable
from executor.after_run import webhook_calls
from executor.tools.send_webhook import signature
from tests import jobs
from tests.services.executor.after_run.receiver import SECRET, Receiver
from tests.services.executor.system import Delivery, deliver
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.executor.conftest import SetBack


async def test_the_webhook_is_called_once_signed_with_the_end_of_the_run(
    world: Any, receiver: Receiver
) -> None:
    await world.pursue(webhook_url=receiver.url)
    await world.settle()
    await world.settle()
    ((headers, body),) = receiver.got
    told = orjson.loads(body)
    assert told["type"] == "run.completed"
    assert told["data"] | {"runId": "run_1", "status": "completed", "summary": "All done."} == told["data"]
    assert told["data"]["outputs"] == [{"kind": "file", "pathOrPayload": "a/report.md"}]
    assert headers["Idempotency-Key"] == "run_1/webhook"
    stamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], stamp, body)
    (delivered,) = await world.of(webhook.Delivered, "run_1", "webhook")
    assert (delivered.url, delivered.attempt, delivered.status) == (receiver.url, 1, 200)


async def test_a_slow_webhook_keeps_no_executor_busy(world: Any, receiver: Receiver) -> None:
    receiver.discard_progress = True
    await world.pursue(webhook_url=receiver.url)
    async with world.handling(world.after_run(), await world.end()):
        await asyncio.wait_for(receiver.reached.wait(), WAIT_S)
        await world.handle(world.executor(), await world.request("run_2", webhook_url=receiver.url))
        assert (await world.state("run_2")).status is Status.COMPLETED


async def test_a_webhook_called_while_the_log_is_away_is_not_called_again(
    world: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, away = world.log.append, [Unavailable("away")] * 2

    async def append_later(commit: Commit, *, after: int) -> int:
        if commit.aggregate == "webhook" and away:
            raise away.pop()
        return int(await append(commit, after=after))

    monkeypatch.setattr(world.log, "append", append_later)
    await world.pursue(webhook_url=receiver.url)
    await world.settle()
    assert len(receiver.got) == 1
    assert len(await world.of(webhook.Delivered, "run_1", "webhook")) == 1


async def test_a_webhook_call_that_a_crash_interrupted_is_made_by_the_next_process(
    world: Any, receiver: Receiver
) -> None:
    receiver.discard_progress = True
    await world.pursue(webhook_url=receiver.url)
    async with world.handling(world.after_run(), await world.end()):
        await asyncio.wait_for(receiver.reached.wait(), WAIT_S)
    receiver.discard_progress = False
    await world.settle()
    assert [headers["Idempotency-Key"] for headers, _ in receiver.got] == ["run_1/webhook"] * 2
    assert len({body for _, body in receiver.got}) == 1
    assert len(await world.of(webhook.Delivered, "run_1", "webhook")) == 1


async def test_a_webhook_that_does_not_answer_is_called_again_later(world: Any, receiver: Receiver) -> None:
    """The queue is asked to give the end again; whoever gets it goes on."""
    receiver.statuses = [503, 200]
    world.policy = RunPolicy(backoff_s=0.05)
    before = called()
    await world.pursue(webhook_url=receiver.url)
    with pytest.raises(Retry) as later:
        await world.settle()
    assert later.value.after is not None
    assert 0 < later.value.after <= 0.1
    (failed,) = await world.of(webhook.AttemptFailed, "run_1", "webhook")
    assert "503" in failed.error
    async with asyncio.timeout(WAIT_S):
        while await world.of(webhook.Delivered, "run_1", "webhook") == []:
            try:
                await world.settle()
            except Retry:
                continue
    assert len(receiver.got) == 2
    assert [now - then for now, then in zip(called(), before, strict=True)] == [1, 1]


def called() -> list[float]:
    """How many calls of webhooks have failed, and how many were delivered."""
    return [
        REGISTRY.get_sample_value("executor_webhook_calls_total", {"outcome": outcome}) or 0
        for outcome in ("AttemptFailed", "Delivered")
    ]


async def test_no_webhook_is_called_by_a_process_that_was_silent_for_longer_than_its_lease(
    world: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.pursue(webhook_url=receiver.url)
    now = [0.0]
    ended, delivery = await world.end(), Delivery(1, Lease(15, lambda: now[0]))
    read = world.log.read

    async def read_while_stopped(aggregate: str, *given: Any, **options: Any) -> Any:
        now[0] += 20
        return await read(aggregate, *given, **options)

    monkeypatch.setattr(world.log, "read", read_while_stopped)
    with pytest.raises(LeaseLost):
        await deliver(world.after_run(), ended, delivery)
    assert receiver.got == []


async def test_the_end_of_a_run_without_a_goal_is_ignored(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = run.Requested(dag_id="d", original_request="do it", job=jobs.job(jobs.task("1", "remember")))
    await world.write(RUN, "run_1", plan, run.Completed(completed_steps=1, duration_ms=1, for_goal=False))
    ended = await world.end()
    monkeypatch.setattr(world.log, "read", None)
    await world.handle(world.after_run(), ended)


@pytest.mark.parametrize(("statuses", "attempts", "error"), [([404], 1, "HTTP 404"), ([503], 3, "HTTP 503")])
async def test_a_webhook_that_never_accepts_is_given_up_and_the_run_stays_completed(
    world: Any, receiver: Receiver, statuses: list[int], attempts: int, error: str
) -> None:
    receiver.statuses = statuses
    state = await world.pursue(webhook_url=receiver.url)
    await world.settle()
    assert state.status is Status.COMPLETED
    failed = await world.of(webhook.AttemptFailed, "run_1", "webhook")
    assert len(failed) == len(receiver.got) == attempts
    assert error in failed[-1].error
    assert failed[-1].retry_at is None


async def test_a_clock_that_is_set_back_does_not_hold_up_a_webhook(
    world: Any, receiver: Receiver, set_back: SetBack
) -> None:
    set_back(webhook_calls)
    receiver.statuses, world.policy = [503], RunPolicy(backoff_s=30)
    await world.pursue(webhook_url=receiver.url)
    process, ended = world.after_run(), await world.end()
    waits = []
    for _ in range(2):
        with pytest.raises(Retry) as later:
            await world.handle(process, ended)
        waits.append(later.value.after or 0)
    assert 0 < waits[1] <= waits[0]


async def test_the_webhook_is_called_for_a_failure_too(world: Any, receiver: Receiver) -> None:
    world.agents = type(world.agents)()
    await world.pursue(webhook_url=receiver.url)
    await world.settle()
    told = orjson.loads(receiver.got[0][1])
    assert told["type"] == "run.failed"
    assert "There is no agent" in told["data"]["error"]


async def test_no_webhook_is_called_for_a_cancelled_run(world: Any, receiver: Receiver) -> None:
    lease = await world.request(webhook_url=receiver.url)
    await world.write(RUN, "run_1", run.Cancelled(reason="enough"))
    await world.handle(world.executor(), lease)
    await world.handle(world.after_run(), (await world.log.read("run", "run_1"))[-1])
    assert receiver.got == []
    assert await world.of(memory.Kept, "goal_1", "memory") == []


async def test_no_webhook_is_called_for_a_run_that_was_deleted_meanwhile(
    world: Any, receiver: Receiver
) -> None:
    await world.pursue(webhook_url=receiver.url)
    await world.write(RUN, "run_1", run.Deleted())
    await world.settle()
    assert receiver.got == []
    assert await world.of(memory.Kept, "goal_1", "memory") == []
