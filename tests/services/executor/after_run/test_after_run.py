"""What follows from the end of a goal's run: memories for the next one, and the webhook."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from prometheus_client import REGISTRY

from contracts.core.commit import Commit
from contracts.core.outcome import LeaseLost, Reject, Retry
from contracts.domain import dag, memory, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.memory import MEMORY, Kind
from contracts.domain.run import RUN, RunPolicy, Status
from contracts.runtime.consumer.lease import Lease
from contracts.runtime.log import Unavailable
from executor.after_run import webhook_calls
from executor.tools.artifacts import Artifacts
from executor.tools.send_webhook import signature
from executor.tools.tool import Tool
from executor.tools.write_file import write_file
from tests import jobs
from tests.services.executor.after_run.receiver import SECRET, Receiver
from tests.services.executor.system import Delivery, deliver
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld, SetBack

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITE = {"path": "plan.md", "content": "text"}

RULES = """
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "I write."
answer.tool_calls = [
    { name = "writeFile", arguments = { path = "a/report.md", content = "text" } },
    { name = "remember", arguments = { fact = "The office is closed on Mondays." } },
]

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""


@pytest.fixture
async def world(make_world: MakeWorld, sender: Tool[Any], tmp_path: Path) -> Any:
    it = await make_world(RULES)
    it.add(write_file(Artifacts(tmp_path)))
    it.add(sender)
    return it


# ── memories ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_next_run_remembers_files_memories_and_results_of_this_run(world: Any) -> None:
    await world.pursue()
    await world.settle()
    (kept,) = await world.of(memory.Kept, "goal_1", "memory")
    assert [(one.type, one.content) for one in kept.added] == [
        (Kind.ARTIFACT, "a/report.md"),
        (Kind.FACT, "The office is closed on Mondays."),
        (Kind.NOTE, "All done."),
    ]
    await world.handle(world.executor(), await world.request("run_2"))
    (started,) = await world.of(run.GoalStarted, "run_2")
    assert started.memories == kept.recalled
    told = next(body for body in world.asked[3:] if body.get("tools"))["messages"][1]["content"]
    assert '<data origin="earlier runs of this goal">\n- artifact: a/report.md\n- fact: The office' in told
    assert "- note: All done." in told


async def test_runs_of_other_goals_do_not_see_the_memories(world: Any) -> None:
    await world.pursue()
    await world.settle()
    await world.handle(world.executor(), await world.request("run_2", goal_id="goal_2"))
    (started,) = await world.of(run.GoalStarted, "run_2")
    assert started.memories == ()


async def test_an_end_that_is_delivered_again_keeps_nothing_twice(world: Any) -> None:
    await world.pursue()
    await world.settle()
    await world.settle()
    assert len(await world.of(memory.Kept, "goal_1", "memory")) == 1


async def test_an_old_end_that_is_delivered_again_after_many_others_keeps_nothing_twice(world: Any) -> None:
    """Of what it left, nothing is recalled any more."""
    await world.pursue()
    await world.settle()
    for n in range(memory.RECALLED):
        one = memory.Memory(type=Kind.FACT, content=str(n), run_id=f"run_{n + 2}")
        await world.write(MEMORY, "goal_1", memory.Kept(run_id=one.run_id, added=(one,), recalled=(one,)))
    await world.settle()
    left = await world.of(memory.Kept, "goal_1", "memory")
    assert [one.run_id for one in left].count("run_1") == 1


# ── webhooks ────────────────────────────────────────────────────────────────────────────────────────────


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


async def test_the_webhook_of_a_fork_says_which_files_its_original_wrote(
    world: Any, receiver: Receiver
) -> None:
    original = await world.pursue(webhook_url=receiver.url)
    origin = run.ForkedFrom(run_id="run_1")
    await world.write(RUN, "run_2", *run.fork(original, run.Changes(start=("summary",)), origin, NOW))
    await world.handle(world.executor(), (await world.log.read("run", "run_2"))[-1])
    await world.settle("run_2")
    ((_, body),) = receiver.got
    told = orjson.loads(body)["data"]["outputs"]
    assert told == [{"kind": "file", "pathOrPayload": "a/report.md", "inherited": "original"}]


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


def planned(receiver: Receiver, **calls: dict[str, Any]) -> run.Requested:
    """A run of a goal by a plan whose steps call these tools."""
    tasks = [jobs.task(f"{n:03}", tool, params) for n, (tool, params) in enumerate(calls.items(), start=1)]
    return run.Requested(
        dag_id="d", original_request="do it", job=jobs.job(*tasks), goal_id="goal_1", webhook_url=receiver.url
    )


# ── plans ───────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_run_by_a_plan_ends_like_one_by_turns(world: Any, receiver: Receiver) -> None:
    await world.write(RUN, "run_1", planned(receiver, writeFile=WRITE))
    (lease,) = await world.log.read("run", "run_1")
    await world.handle(world.executor(), lease)
    await world.settle()
    (kept,) = await world.of(memory.Kept, "goal_1", "memory")
    assert [one.type for one in kept.added] == [Kind.ARTIFACT, Kind.NOTE]
    told = orjson.loads(receiver.got[0][1])["data"]
    assert (told["goalId"], told["status"], told["stepsExecuted"]) == ("goal_1", "completed", 1)


async def test_a_run_that_is_suspended_resumed_and_completed_calls_its_webhook_once_for_each_end(
    world: Any, receiver: Receiver
) -> None:
    """To clients a suspended run of a goal has failed. What it leaves to the next one is kept in the end."""
    broken = [True]

    async def mendable(value: Any, _: Any) -> Any:
        if broken:
            raise Reject("broken")
        return value

    world.tool("mendable", mendable)
    await world.write(RUN, "run_1", planned(receiver, writeFile=WRITE, mendable={"value": "mended"}))
    (first,) = await world.log.read("run", "run_1")
    await world.handle(world.executor(), first)
    suspended = await world.end()
    for attempt in (1, 2):
        await world.handle(world.after_run(), suspended, attempt)
    assert await world.of(memory.Kept, "goal_1", "memory") == []
    broken.clear()
    await world.write(RUN, "run_1", run.Resumed())
    second = (await world.log.read("run", "run_1"))[-1]
    await world.handle(world.executor(), second)
    for ended in (await world.end(), await world.end(), suspended):
        await world.handle(world.after_run(), ended)
    told = [orjson.loads(body) for _, body in receiver.got]
    assert [one["type"] for one in told] == ["run.failed", "run.completed"]
    assert [one["data"]["error"] for one in told] == ["broken", None]
    assert (told[0]["data"]["summary"], "mended" in told[1]["data"]["summary"]) == (None, True)
    assert [one["data"]["stepsExecuted"] for one in told] == [1, 2]
    assert [headers["Idempotency-Key"] for headers, _ in receiver.got] == ["run_1/webhook", "run_1/webhook/1"]
    assert [one.ending for one in await world.of(webhook.Delivered, "run_1", "webhook")] == [0, 1]
    (kept,) = await world.of(memory.Kept, "goal_1", "memory")
    assert [one.type for one in kept.added] == [Kind.ARTIFACT, Kind.NOTE]


async def test_failed_calls_about_one_end_do_not_reduce_the_attempts_for_the_next_end(
    world: Any, receiver: Receiver
) -> None:
    receiver.statuses = [404, 200]
    await world.write(RUN, "run_1", planned(receiver, absent={}))
    (first,) = await world.log.read("run", "run_1")
    await world.handle(world.executor(), first)
    await world.settle()
    await world.write(RUN, "run_1", run.Resumed())
    await world.handle(world.executor(), (await world.log.read("run", "run_1"))[-1])
    await world.settle()
    assert [one.ending for one in await world.of(webhook.AttemptFailed, "run_1", "webhook")] == [0]
    assert [one.ending for one in await world.of(webhook.Delivered, "run_1", "webhook")] == [1]


def to_be_planned(receiver: Receiver, **given: Any) -> dag.Requested:
    wanted = {"run_id": "run_1", "goal_id": "goal_1", "webhook_url": receiver.url, **given}
    return dag.Requested(goal_text="find it", agent_name="a", **wanted)


async def test_the_webhook_is_called_if_no_plan_was_made_for_the_run(world: Any, receiver: Receiver) -> None:
    await world.write(DAG, "dag_1", to_be_planned(receiver))
    await world.write(DAG, "dag_1", dag.Rejected(http_status=503, error="no model"))
    await world.write(DAG, "dag_1", dag.Updated(title="renamed"))
    _, rejected, renamed = await world.log.read("dag", "dag_1")
    for attempt in (1, 2):
        await world.handle(world.after_run(), rejected, attempt)
    await world.handle(world.after_run(), renamed)
    (told,) = [orjson.loads(body) for _, body in receiver.got]
    assert told["type"] == "run.failed"
    expected = {"runId": "run_1", "goalId": "goal_1", "objective": "find it", "error": "no model"}
    assert told["data"] | expected == told["data"]


@pytest.mark.parametrize(
    ("given", "status"), [({}, 409), ({"goal_id": None}, 500), ({"run_id": None, "goal_id": None}, 500)]
)
async def test_no_webhook_is_called_for_a_cancelled_plan_or_a_plan_without_a_goal(
    world: Any, receiver: Receiver, given: dict[str, Any], status: int
) -> None:
    rejected = dag.Rejected(http_status=status, error="cancelled: enough")
    await world.write(DAG, "dag_1", to_be_planned(receiver, **given), rejected)
    await world.handle(world.after_run(), (await world.log.read("dag", "dag_1"))[-1])
    assert receiver.got == []


async def test_each_end_of_a_resumed_run_calls_the_webhook_once_and_keeps_only_new_memories(
    world: Any, receiver: Receiver
) -> None:
    lease = await world.request(webhook_url=receiver.url)
    used = run.AgentUsed(id="agent_1", name="a", version_name="1", prompt_template="p")
    started = run.GoalStarted(executor="e", at=NOW, agent=used, temperature=0.7, max_tokens=9)
    call = run.Call(id="c", name="writeFile", arguments=WRITE)
    file = run.Output(kind="file", content="plan.md")
    wrote = (
        run.TurnTaken(turn=1, thought="", calls=(call,), finish_reason="tool_calls"),
        run.CallAnswered(turn=1, position=0, output=file),
        run.StepsStarted(steps=("2",)),
    )
    failed = run.Failed(error="no model")
    await world.write(RUN, lease.commit.aggregate_id, started, run.StepsStarted(steps=("1",)), *wrote)
    await world.write(RUN, "run_1", run.StepFailed(step="2", attempt=1, error="no model"), failed)
    await world.settle()

    last = run.TurnTaken(turn=2, thought="", finish_reason="stop")
    end = run.Completed(completed_steps=2, duration_ms=1, outcome_reason="done")
    await world.write(RUN, "run_1", run.Resumed())
    await world.write(RUN, "run_1", started, last, run.Summarised(summary="All done."), end)
    await world.settle()
    await world.settle()

    left = await world.of(memory.Kept, "goal_1", "memory")
    assert [[one.type for one in kept.added] for kept in left] == [[Kind.ARTIFACT], [Kind.NOTE]]
    told = [(headers["Idempotency-Key"], orjson.loads(body)) for headers, body in receiver.got]
    assert [(key, body["type"]) for key, body in told] == [
        ("run_1/webhook", "run.failed"),
        ("run_1/webhook/1", "run.completed"),
    ]
    assert [len(body["data"]["outputs"]) for _, body in told] == [1, 1]
