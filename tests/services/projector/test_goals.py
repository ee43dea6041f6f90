"""The views of goals and their runs: batch by batch or all at once, they are the fold of the log."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event, Usage
from contracts.domain import dag, goal, memory, run, webhook
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL, Params
from contracts.domain.memory import MEMORY, Kind, Memory
from contracts.domain.run import RUN
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Overlap, Schedule
from contracts.domain.schedule.ticks import SCHEDULE, Decision
from contracts.domain.webhook import WEBHOOK
from contracts.runtime.memory_log import MemoryLog
from contracts.views import (
    goal_schedules,
    goals,
    memories,
    outputs,
    run_steps,
    runs,
    schedule_ticks,
)
from projector.verify import verify
from tests import jobs
from tests.any_source import CODEC
from tests.services.projector.following import Views, projecting

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
NOW_MS = int(NOW.timestamp() * 1000)
AGENT = run.AgentUsed(id="agent_1", name="a", version_name="2", prompt_template="p", provider="openai")
SCHEDULED = Schedule(cron="@daily", overlap=Overlap.QUEUE_ONE, catch_up_s=60, jitter_s=5)
CREATED = goal.Created(
    objective="find it", params=Params(step_budget=5), webhook_url="https://a.org/hook", agent_id="agent_1"
)
USAGE = Usage(prompt_tokens=3, completion_tokens=4)
RUN_HISTORY: tuple[Event, ...] = (
    run.GoalRequested(goal_id="goal_1", objective="find it", step_budget=5, agent_id="agent_1"),
    run.GoalStarted(
        executor="e", at=NOW, agent=AGENT, temperature=0.7, max_tokens=9, remarks=("one is missing",)
    ),
    run.StepsStarted(steps=("1",)),
    run.TurnTaken(
        turn=1,
        thought="I write.",
        calls=(
            run.Call(id="c0", name="writeFile", arguments={"path": "a.md"}),
            run.Call(id="c1", name="absent", refusal="Tool not found: absent"),
            run.Call(id="c2", name="fetchPage", arguments={"url": "u"}),
        ),
        finish_reason="tool_calls",
        duration_ms=11,
        usage=USAGE,
        cost_usd="0.0000015",
        provider="openai",
        model="m",
    ),
    run.StepsStarted(steps=("1.0", "1.2")),
    run.CallAnswered(
        turn=1,
        position=0,
        result={"path": "a.md"},
        output=run.Output(kind="file", content="a.md"),
        duration_ms=7,
    ),
    run.StepFailed(step="1.2", attempt=1, error="busy", retry_at=NOW),
    run.StepsStarted(steps=("1.2",), retried=("1.2",)),
    run.StepFailed(step="1.2", attempt=2, error="gone", duration_ms=9),
    run.TurnTaken(turn=2, thought="Done.", finish_reason="stop", usage=USAGE),
    run.Summarised(summary="All done.", usage=USAGE, cost_usd="0.1"),
    run.Completed(completed_steps=2, duration_ms=20, outcome_reason="calls_failed"),
)


class Eager(Views):
    """Views that take in each commit before the next one comes."""

    async def write(self, aggregate: Aggregate[Any], id_: str, *events: Event) -> None:
        for event in events:
            await super().write(aggregate, id_, event)
            await self.caught_up()


@pytest.fixture
async def views(tmp_path: Path) -> AsyncGenerator[Views]:
    it = Eager(MemoryLog(CODEC), tmp_path / "views.db")
    async with projecting(it):
        yield it
        await it.caught_up()
        verdict = await verify(it.log, it.path)
    assert verdict.differences == (), "the views, built batch by batch, are not the fold of the log"


async def calls_of(views: Views) -> list[dict[str, Any]]:
    """The rows of tool calls, in their order."""
    calls = [row for row in await views.rows(run_steps) if row["position"] is not None]
    return sorted(calls, key=lambda row: (row["number"], row["position"]))


async def test_a_goal_shows_its_fields_and_its_schedules(views: Views) -> None:
    await views.write(GOAL, "goal_1", CREATED, goal.ScheduleAdded(schedule_id="sched_1", schedule=SCHEDULED))
    row = await views.row(goals)
    assert (row["objective"], row["params"], row["status"]) == ("find it", {"stepBudget": 5}, "active")
    assert (row["webhook_url"], row["agent_id"]) == ("https://a.org/hook", "agent_1")
    scheduled = await views.row(goal_schedules)
    assert (scheduled["goal_id"], scheduled["cron_expr"], scheduled["active"]) == ("goal_1", "@daily", True)
    assert (scheduled["overlap"], scheduled["catch_up_s"], scheduled["jitter_s"]) == ("queue_one", 60, 5)


async def test_a_changed_goal_shows_what_it_is_now(views: Views) -> None:
    changed = goal.Updated(objective="find that", params=Params(strategy="dag"), webhook_url="")
    await views.write(GOAL, "goal_1", CREATED, changed)
    row = await views.row(goals)
    assert (row["objective"], row["params"], row["webhook_url"]) == ("find that", {"strategy": "dag"}, None)


@pytest.mark.parametrize(
    ("events", "status", "active"),
    [
        ((goal.Paused(),), "paused", False),
        ((goal.Archived(),), "archived", False),
        ((goal.Paused(), goal.Resumed()), "active", True),
    ],
)
async def test_the_schedules_of_a_goal_follow_its_status(
    views: Views, events: tuple[Event, ...], status: str, active: bool
) -> None:
    added = goal.ScheduleAdded(schedule_id="sched_1", schedule=SCHEDULED)
    await views.write(GOAL, "goal_1", CREATED, added, *events)
    assert (await views.row(goals))["status"] == status
    assert (await views.row(goal_schedules))["active"] is active


async def test_a_schedule_shows_what_it_is_and_when_it_last_ran_until_it_is_removed(views: Views) -> None:
    added = goal.ScheduleAdded(schedule_id="sched_1", schedule=SCHEDULED)
    changed = goal.ScheduleChanged(schedule_id="sched_1", schedule=Schedule(cron="@hourly", paused=True))
    await views.write(GOAL, "goal_1", CREATED, added)
    created_at = (await views.row(goal_schedules))["created_at"]
    fired = ticks.Ticked(tick=NOW, decision=Decision.FIRED, goal_id="goal_1", run_id="run_1")
    await views.write(SCHEDULE, "sched_1", fired)
    await views.write(GOAL, "goal_1", changed)
    row = await views.row(goal_schedules)
    assert (row["cron_expr"], row["paused"], row["overlap"]) == ("@hourly", True, "skip")
    assert (row["last_run_at"], row["created_at"]) == (NOW_MS, created_at)
    await views.write(GOAL, "goal_1", goal.ScheduleRemoved(schedule_id="sched_1"))
    assert await views.rows(goal_schedules) == await views.rows(schedule_ticks) == []


async def test_ticks_decided_by_a_clock_that_was_ahead_go_and_are_decided_again(views: Views) -> None:
    await views.write(GOAL, "goal_1", CREATED, goal.ScheduleAdded(schedule_id="sched_1", schedule=SCHEDULED))
    later = NOW + timedelta(days=1)
    early = [
        ticks.Ticked(tick=tick, decision=Decision.FIRED, goal_id="goal_1", run_id="run_1")
        for tick in (NOW, later)
    ]
    passed = ticks.Rewound(tick=later, decision=Decision.FIRED, newest=NOW, passed_over=later)
    await views.write(SCHEDULE, "sched_1", *early)
    await views.write(SCHEDULE, "sched_1", passed)
    assert [row["tick"] for row in await views.rows(schedule_ticks)] == [NOW_MS]
    again = ticks.Ticked(tick=later, decision=Decision.SKIPPED, goal_id="goal_1", reason="busy")
    await views.write(SCHEDULE, "sched_1", again)
    assert [row["decision"] for row in await views.rows(schedule_ticks)] == ["fired", "skipped"]


async def test_a_tick_shows_what_was_decided_about_it_in_the_end(views: Views) -> None:
    await views.write(GOAL, "goal_1", CREATED, goal.ScheduleAdded(schedule_id="sched_1", schedule=SCHEDULED))
    queued = ticks.Ticked(tick=NOW, decision=Decision.QUEUED, goal_id="goal_1", reason="busy")
    await views.write(SCHEDULE, "sched_1", queued)
    row = await views.row(schedule_ticks)
    assert (row["decision"], row["reason"], row["run_id"]) == ("queued", "busy", None)
    later = NOW + timedelta(days=1)
    fired = ticks.Amended(tick=NOW, decision=Decision.FIRED, goal_id="goal_1", run_id="run_2", newest=later)
    await views.write(SCHEDULE, "sched_1", fired)
    row = await views.row(schedule_ticks)
    assert (row["decision"], row["reason"], row["run_id"]) == ("fired", None, "run_2")
    assert (await views.row(goal_schedules))["last_run_at"] == NOW_MS


async def test_a_run_shows_how_it_went_and_what_it_cost(views: Views) -> None:
    await views.write(RUN, "run_1", RUN_HISTORY[0])
    assert (await views.row(runs))["status"] == "pending"
    await views.write(RUN, "run_1", RUN_HISTORY[1])
    row = await views.row(runs)
    assert (row["status"], row["started_at"], row["remarks"]) == ("running", NOW_MS, ["one is missing"])
    assert (row["agent_id"], row["agent_name"], row["agent_version"]) == ("agent_1", "a", "2")
    assert row["prompt_sha256"] == hashlib.sha256(b"p").hexdigest()
    await views.write(RUN, "run_1", *RUN_HISTORY[2:])
    row = await views.row(runs)
    assert (row["status"], row["error"], row["summary"]) == ("completed", None, "All done.")
    assert (row["completed_steps"], row["total_steps"]) == (2, 5)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (9, 12)
    assert row["cost_pico"] == 100_000_000_000 + 1_500_000
    assert row["ended_at"] is not None


REFUSED = run.StepFailed(
    step="1", attempt=1, error="empty", usage=USAGE, cost_usd="0.25", provider="openai", model="m"
)
"""A model answered, to no use and for money."""


async def test_the_cost_of_an_unusable_turn_counts_in_the_totals(views: Views) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY[:3], REFUSED, REFUSED, *RUN_HISTORY[3:])
    row = await views.row(runs)
    assert (row["prompt_tokens"], row["completion_tokens"]) == (9 + 6, 12 + 8)
    assert row["cost_pico"] == 600_000_000_000 + 1_500_000


async def test_the_cost_of_an_unusable_answer_for_a_step_counts_once_in_the_execution(views: Views) -> None:
    """Also when the execution is a run of a goal."""
    wanted = dag.Requested(goal_text="find it", agent_name="P", run_id="run_1", goal_id="goal_1")
    await views.write(DAG, "d1", wanted)
    job = jobs.job(jobs.task("1", "inference", {"prompt": "think"}))
    await views.write(
        RUN,
        "run_1",
        run.Requested(dag_id="d1", original_request="do it", job=job, goal_id="goal_1"),
        run.Started(executor="e", at=NOW, synthesis="merge"),
        run.StepsStarted(steps=("1",)),
        REFUSED.model_copy(update={"retry_at": NOW}),
        run.StepsStarted(steps=("1",), retried=("1",)),
        run.StepCompleted(
            step="1",
            attempt=2,
            result="r",
            usage=USAGE,
            cost_usd="0.5",
            agent_id="agent_1",
            agent_version="2",
            prompt_sha256="ab",
        ),
    )
    (step,) = [one for one in await views.rows(run_steps) if one["step"] == "1"]
    for row in (await views.row(runs), step):
        assert (row["prompt_tokens"], row["completion_tokens"], row["cost_pico"]) == (6, 8, 750_000_000_000)
    assert (step["agent_id"], step["agent_version"], step["prompt_sha256"]) == ("agent_1", "2", "ab")


async def test_a_run_shows_its_turns_and_their_calls(views: Views) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY)
    first, second = [row for row in await views.rows(run_steps) if row["position"] is None]
    assert (first["thought"], first["finish_reason"], first["duration_ms"]) == ("I write.", "tool_calls", 11)
    assert (first["provider"], first["model"], first["cost_pico"]) == ("openai", "m", 1_500_000)
    assert (second["number"], second["thought"], second["prompt_tokens"]) == (2, "Done.", 3)
    written, absent, fetched = await calls_of(views)
    assert (written["status"], written["result"], written["duration_ms"]) == (
        "completed",
        {"path": "a.md"},
        7,
    )
    assert (absent["status"], absent["error"]) == ("failed", "Tool not found: absent")
    assert (fetched["status"], fetched["error"], fetched["duration_ms"]) == ("failed", "gone", 9)


async def test_a_call_in_progress_is_seen_to_be_so(views: Views) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY[:7])
    assert [row["status"] for row in await calls_of(views)] == ["completed", "failed", "waiting"]


@pytest.mark.parametrize(
    ("end", "status", "told"),
    [
        (run.Failed(error="on fire"), "failed", "on fire"),
        (run.Cancelled(reason="enough"), "cancelled", "cancelled: enough"),
    ],
)
async def test_a_run_that_ends_early_leaves_no_call_in_progress(
    views: Views, end: Event, status: str, told: str
) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY[:5], end)
    row = await views.row(runs)
    assert (row["status"], row["ended_at"] is not None) == (status, True)
    calls = await calls_of(views)
    assert [(call["status"], call["error"]) for call in calls if call["name"] != "absent"] == [
        ("failed", told)
    ] * 2


async def test_outputs_and_memories_of_a_run_are_shown(views: Views) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY)
    delivered = webhook.Delivered(url="https://a.org/hook", attempt=2, status=200)
    later = webhook.AttemptFailed(url="https://a.org/hook", attempt=1, error="busy", retry_at=NOW)
    await views.write(WEBHOOK, "run_1", later, delivered)
    found = {row["kind"]: row["path_or_payload"] for row in await views.rows(outputs)}
    assert (found["file"], found["summary"]) == ("a.md", "All done.")
    assert orjson.loads(found["webhook"]) == {"url": "https://a.org/hook", "status": 200, "success": True}
    note = Memory(type=Kind.NOTE, content="All done.", run_id="run_1")
    await views.write(MEMORY, "goal_1", memory.Kept(run_id="run_1", added=(note,), recalled=(note,)))
    row = await views.row(memories)
    assert (row["goal_id"], row["run_id"], row["type"], row["content"]) == (
        "goal_1",
        "run_1",
        "note",
        "All done.",
    )


async def test_a_webhook_that_was_given_up_is_an_output_with_its_error(views: Views) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY)
    await views.write(WEBHOOK, "run_1", webhook.AttemptFailed(url="u", attempt=3, error="HTTP 503"))
    (told,) = [row for row in await views.rows(outputs) if row["kind"] == "webhook"]
    assert orjson.loads(told["path_or_payload"]) == {"url": "u", "success": False, "error": "HTTP 503"}


async def test_each_end_that_a_webhook_was_told_of_is_an_output(views: Views) -> None:
    """A run that was suspended, resumed and completed has two."""
    told = [webhook.Delivered(url="u", attempt=1, status=200, ending=ending) for ending in (0, 1)]
    await views.write(WEBHOOK, "run_1", *told)
    assert [row["kind"] for row in await views.rows(outputs)] == ["webhook", "webhook"]


async def test_a_run_by_a_plan_is_the_goals_until_it_is_an_execution(views: Views) -> None:
    wanted = dag.Requested(goal_text="find it", agent_name="P", run_id="run_1", goal_id="goal_1")
    await views.write(DAG, "d1", wanted)
    row = await views.row(runs)
    assert (row["id"], row["goal_id"], row["strategy"], row["dag_id"], row["status"]) == (
        "run_1",
        "goal_1",
        "dag",
        "d1",
        "pending",
    )
    await views.write(DAG, "d1", dag.Rejected(http_status=503, error="no model"))
    row = await views.row(runs)
    assert (row["status"], row["error"]) == ("failed", "no model")


async def test_a_deleted_run_is_gone(views: Views) -> None:
    await views.write(RUN, "run_1", *RUN_HISTORY, run.Deleted())
    for table in (runs, run_steps, outputs):
        assert await views.rows(table) == []


async def test_a_deleted_goal_is_gone_with_everything_that_belongs_to_it(views: Views) -> None:
    for number in ("1", "2"):
        added = goal.ScheduleAdded(schedule_id=f"sched_{number}", schedule=SCHEDULED)
        await views.write(GOAL, f"goal_{number}", CREATED, added)
        wanted = run.GoalRequested(goal_id=f"goal_{number}", objective="find it", step_budget=5)
        await views.write(RUN, f"run_{number}", wanted, *RUN_HISTORY[1:])
        note = Memory(type=Kind.NOTE, content="x", run_id=f"run_{number}")
        kept = memory.Kept(run_id=f"run_{number}", added=(note,), recalled=(note,))
        await views.write(MEMORY, f"goal_{number}", kept)
        fired = ticks.Ticked(tick=NOW, decision=Decision.FIRED, goal_id=f"goal_{number}", run_id="run_9")
        await views.write(SCHEDULE, f"sched_{number}", fired)
    await views.write(GOAL, "goal_1", goal.Deleted())
    for table in (
        goals,
        goal_schedules,
        runs,
        run_steps,
        outputs,
        memories,
        schedule_ticks,
    ):
        rows = await views.rows(table)
        assert rows, table.name
        owners = {row.get("goal_id") or row.get("run_id") or row["id"] for row in rows}
        assert owners <= {"goal_2", "run_2"}, table.name
