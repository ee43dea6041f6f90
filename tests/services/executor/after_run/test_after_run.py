"""What follows from the end of a goal's run: memories for the next one, and webhooks for each of its ends."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from contracts.core.outcome import Reject
from contracts.domain import dag, memory, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.memory import MEMORY, Kind
from contracts.domain.run import RUN
from tests import jobs
from tests.services.executor.after_run.receiver import Receiver

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
WRITE = {"path": "plan.md", "content": "text"}


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


def planned(receiver: Receiver, **calls: dict[str, Any]) -> run.Requested:
    """A run of a goal by a plan whose steps call these tools."""
    tasks = [jobs.task(f"{n:03}", tool, params) for n, (tool, params) in enumerate(calls.items(), start=1)]
    return run.Requested(
        dag_id="d", original_request="do it", job=jobs.job(*tasks), goal_id="goal_1", webhook_url=receiver.url
    )


# ── ends ────────────────────────────────────────────────────────────────────────────────────────────────


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
