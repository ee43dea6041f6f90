"""The webhook of a goal is called about questions to a person, if the goal wants that."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.core.commit import Commit, Recorded
from contracts.core.tool import Effect
from contracts.domain import run, webhook
from contracts.domain.run import RUN, Answer, RunPolicy, Status
from contracts.domain.webhook import WEBHOOK
from contracts.runtime.stream import transact
from executor.after_run.after_run import AfterRun
from executor.tools.send_webhook import signature
from executor.tools.tool import Tool
from tests import jobs
from tests.services.executor.after_run.receiver import SECRET, Receiver
from tests.services.executor.system import ORIGIN
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld
    from tests.services.executor.system import Calls

ASK = "run_1.001.1"
BOTH = ("ended", "asked")
SENDS = jobs.task("001", "send", {"value": "hello"})
APPROVED = partial(run.answer, step="001", attempt=1, given=Answer("approve"), by="key:ann")


@pytest.fixture
async def world(make_world: MakeWorld, sender: Tool[Any], calls: Calls) -> Any:
    it = await make_world()
    it.add(sender)
    it.tool("send", calls.count, Effect.ONCE)
    return it


async def ask(world: Any, receiver: Receiver, **given: Any) -> Recorded:
    """Let one executor execute a plan that asks. Returns the message of the run."""
    wanted = run.Requested(
        dag_id="d",
        original_request="do it",
        goal_id="goal_1",
        job=jobs.job(SENDS, approvals=["send"]),
        **{"webhook_url": receiver.url, "webhook_events": BOTH, **given},
    )
    await world.write(RUN, "run_1", wanted)
    message: Recorded
    (message,) = await world.log.read("run", "run_1")
    await world.handle(world.executor(), message)
    assert (await world.state()).status is Status.WAITING
    return message


async def requested(world: Any) -> list[Recorded]:
    """The messages that request calls about the question."""
    return [
        one
        for one in await world.log.read("webhook", webhook.id_of_ask(ASK))
        if one.commit.state == webhook.Status.REQUESTED
    ]


async def delivered(world: Any) -> list[Any]:
    return list(await world.of(webhook.Delivered, webhook.id_of_ask(ASK), "webhook"))


async def test_the_webhook_gets_the_question_and_the_way_to_answer_it(world: Any, receiver: Receiver) -> None:
    await ask(world, receiver)
    (message,) = await requested(world)
    after_run = AfterRun(world.log, world._resources(), world.policy, "/executor/e", "https://agent.test/")
    for _ in range(2):
        await world.handle(after_run, message)
    ((headers, body),) = receiver.got
    told = orjson.loads(body)
    assert told["type"] == "run.asked"
    opened = (await world.state()).asks.open["001"]
    assert told["data"] == {
        "askId": ASK,
        "runId": "run_1",
        "goalId": "goal_1",
        "objective": "do it",
        "answerUrl": f"https://agent.test/api/v1/asks/{ASK}/answer",
        "step": "001",
        "kind": "approval",
        "title": "do 001",
        "tool": "send",
        "params": {"value": "hello"},
        "paramsSha256": opened.params_sha256,
        "answerSchema": opened.answer_schema,
        "why": "a person must approve every call of send in this run",
        "expiresAt": None,
    }
    assert headers["Idempotency-Key"] == f"run_1/webhook/{ASK}"
    stamp = int(headers["webhook-timestamp"])
    assert headers["webhook-signature"] == signature(SECRET, headers["webhook-id"], stamp, body)
    (one,) = await delivered(world)
    assert (one.ask, one.status) == (ASK, 200)


@pytest.mark.parametrize("given", [{"webhook_events": ("ended",)}, {"webhook_url": None}])
async def test_a_goal_that_does_not_want_questions_is_not_called_about_them(
    world: Any, receiver: Receiver, given: Any
) -> None:
    await ask(world, receiver, **given)
    assert not await requested(world)


async def test_a_goal_that_wants_only_questions_is_not_called_about_ends(
    world: Any, receiver: Receiver
) -> None:
    await ask(world, receiver, webhook_events=("asked",))
    await transact(world.log, RUN, "run_1", partial(APPROVED, now=datetime.now(UTC)), ORIGIN)
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    assert (await world.state()).status is Status.COMPLETED
    await world.settle()
    assert not receiver.got


async def test_a_call_that_a_dead_executor_did_not_request_is_requested_by_the_next(
    world: Any, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    append, dies = world.log.append, asyncio.Event()

    async def append_or_die(commit: Commit, *, after: int) -> int:
        if commit.aggregate == WEBHOOK.name and not dies.is_set():
            dies.set()
            await asyncio.Event().wait()
        return int(await append(commit, after=after))

    monkeypatch.setattr(world.log, "append", append_or_die)
    asking = asyncio.create_task(ask(world, receiver))
    await asyncio.wait_for(dies.wait(), WAIT_S)
    asking.cancel()
    await asyncio.wait([asking])
    assert (await world.state()).status is Status.WAITING
    assert not await requested(world)

    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[0], attempt=2)
    assert len(await requested(world)) == 1


async def test_a_call_is_requested_once_however_often_the_run_is_given_again(
    world: Any, receiver: Receiver
) -> None:
    message = await ask(world, receiver)
    await world.handle(world.executor(), message, attempt=2)
    assert len(await world.log.read("webhook", webhook.id_of_ask(ASK))) == 1


async def test_a_call_that_a_crash_cut_short_is_made_by_the_next_process(
    world: Any, receiver: Receiver
) -> None:
    receiver.discard_progress = True
    await ask(world, receiver)
    (message,) = await requested(world)
    async with world.handling(world.after_run(), message):
        await asyncio.wait_for(receiver.reached.wait(), WAIT_S)
    receiver.discard_progress = False
    await world.handle(world.after_run(), message)
    assert [headers["Idempotency-Key"] for headers, _ in receiver.got] == [f"run_1/webhook/{ASK}"] * 2
    assert len({body for _, body in receiver.got}) == 1
    assert len(await delivered(world)) == 1


async def test_a_receiver_that_is_busy_gets_the_question_later(world: Any, receiver: Receiver) -> None:
    receiver.statuses = [503, 200]
    world.policy = RunPolicy(backoff_s=0.0)
    await ask(world, receiver)
    (message,) = await requested(world)
    await world.handle(world.after_run(), message)
    assert len(receiver.got) == 2
    assert [one.attempt for one in await delivered(world)] == [2]


async def test_nobody_is_called_about_a_question_that_is_answered_meanwhile(
    world: Any, receiver: Receiver
) -> None:
    await ask(world, receiver)
    (message,) = await requested(world)
    await transact(world.log, RUN, "run_1", partial(APPROVED, now=datetime.now(UTC)), ORIGIN)
    await world.handle(world.after_run(), message)
    assert not receiver.got
