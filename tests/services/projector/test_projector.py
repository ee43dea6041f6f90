"""The projector over a memory log and a real SQLite file: come what may, views are the fold of the log."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from contracts.core.event import Event, Usage
from contracts.domain import agent, dag, run
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.schedule import ticks
from contracts.domain.schedule.schedule import Schedule
from contracts.domain.schedule.ticks import SCHEDULE
from contracts.runtime.continuity import Mark
from contracts.runtime.memory_log import MemoryLog
from contracts.views import (
    VIEWS_VERSION,
    agents,
    checkpoint,
    dags,
    metadata,
    planning_attempts,
    run_steps,
    runs,
    schedule_ticks,
)
from projector import database as database_module
from projector.database import Checkpoint, Database
from projector.verify import Comparison, verify
from tests import jobs
from tests.any_source import CODEC
from tests.services.projector.following import Views, projecting

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = jobs.job(jobs.task("001"), jobs.task("002", needs=("001",)))
RUN_HISTORY: Sequence[Event] = (
    run.Requested(dag_id="d1", original_request="do it", job=JOB),
    run.Started(executor="e", at=NOW, synthesis="merge"),
    run.StepsStarted(steps=("001",)),
    run.StepFailed(step="001", attempt=1, error="busy", retry_at=NOW),
    run.StepsStarted(steps=("001",), retried=("001",)),
    run.StepCompleted(
        step="001",
        attempt=2,
        result={"text": None},
        usage=Usage(prompt_tokens=3, completion_tokens=4),
        cost_usd="0.0000015",
    ),
    run.StepsStarted(steps=("002",)),
    run.StepFailed(step="002", attempt=1, error="gone"),
    run.Suspended(reason="gone"),
    run.Resumed(),
    run.Started(executor="e", at=NOW, synthesis="merge"),
    run.StepsStarted(steps=("002",)),
    run.StepCompleted(step="002", attempt=2, result="two"),
    run.StepCompleted(step=SYNTHESIS, result="two"),
    run.Completed(completed_steps=2, duration_ms=7),
)


@pytest.fixture
def views(tmp_path: Path) -> Views:
    return Views(MemoryLog(CODEC), tmp_path / "views.db")


async def everything(views: Views) -> None:
    """A history of each kind of aggregate."""
    await views.write(
        DAG,
        "d1",
        dag.Requested(goal_text="do it", agent_name="A", schedule=Schedule(cron="@daily")),
        dag.AttemptMade(attempt=1, reason="initial", usage=Usage(prompt_tokens=1), cost_usd="0.1"),
        dag.AttemptMade(attempt=1, reason="title_master", usage=Usage(prompt_tokens=2), cost_usd="0.02"),
        dag.Planned(job=JOB, title="T"),
    )
    await views.write(RUN, "dag-exec_1", *RUN_HISTORY)
    await views.write(
        SCHEDULE,
        "d1",
        ticks.Ticked(tick=NOW, decision=ticks.Decision.FIRED, dag_id="d1", run_id="dag-exec_1"),
    )
    for version in ("1", "2"):
        created = agent.Created(name="A", version_name=version, prompt_template="p")
        await views.write(AGENT, f"agent_{version}", created, agent.Activated(name="A"))


async def test_an_execution_shows_what_its_events_say(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        (row,) = await views.rows(runs)
        assert row["status"] == "completed"
        assert (row["completed_steps"], row["failed_steps"], row["waiting_steps"], row["total_steps"]) == (
            2,
            0,
            0,
            2,
        )
        assert (row["resumes"], row["suspended_reason"], row["duration_ms"]) == (1, None, 7)
        assert (row["prompt_tokens"], row["completion_tokens"], row["cost_pico"]) == (3, 4, 1_500_000)
        steps = {step["step"]: step for step in await views.rows(run_steps)}
        assert list(steps) == ["001", "002", SYNTHESIS]
        assert {step["status"] for step in steps.values()} == {"completed"}
        assert (steps["001"]["result"], steps["001"]["attempt"], steps["001"]["error"]) == (
            {"text": None},
            2,
            None,
        )
        assert steps[SYNTHESIS]["dependencies"] == ["001", "002"]


async def test_a_dag_shows_its_plan_its_costs_and_when_it_last_ran(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        (row,) = await views.rows(dags)
        assert (row["phase"], row["status"], row["dag_title"], row["attempts"]) == (
            "planned",
            "success",
            "T",
            1,
        )
        assert row["result"]["sub_tasks"][1]["dependencies"] == ["001"]
        assert row["planning_cost_pico"] == 120_000_000_000
        assert row["last_run_at"] == NOW.timestamp() * 1000
        assert [a["reason"] for a in await views.rows(planning_attempts)] == ["initial", "title_master"]
        assert [t["decision"] for t in await views.rows(schedule_ticks)] == ["fired"]


async def test_one_version_of_an_agent_is_active(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        assert {row["id"]: row["active"] for row in await views.rows(agents)} == {
            "agent_1": False,
            "agent_2": True,
        }


async def test_an_active_version_renamed_onto_another_name_leaves_it_to_its_holder(views: Views) -> None:
    async with projecting(views):
        for name in ("A", "B"):
            created = agent.Created(name=name, version_name="1", prompt_template="p")
            await views.write(AGENT, f"agent_{name}", created, agent.Activated(name=name))
        await views.write(AGENT, "agent_A", agent.Updated(name="B", version_name="2"))
        assert {row["id"]: row["active"] for row in await views.rows(agents)} == {
            "agent_A": False,
            "agent_B": True,
        }


async def test_a_deleted_aggregate_loses_all_its_rows(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        await views.write(RUN, "dag-exec_1", run.Deleted())
        await views.write(DAG, "d1", dag.Deleted())
        await views.write(AGENT, "agent_1", agent.Deleted())
        for table in (runs, run_steps, dags, planning_attempts, schedule_ticks):
            assert await views.rows(table) == []
        assert [row["id"] for row in await views.rows(agents)] == ["agent_2"]


async def test_a_plan_may_call_its_steps_by_any_number(views: Views) -> None:
    step = "9" * 30 + "." + "9" * 30
    async with projecting(views):
        await views.write(
            RUN,
            "dag-exec_1",
            run.Requested(dag_id="d1", original_request="do it", job=jobs.job(jobs.task(step))),
            run.StepFailed(step=step, attempt=1, error="broke"),
        )
        assert [row["error"] for row in await views.rows(run_steps)] == ["broke", None]


async def test_a_restarted_projector_goes_on_where_it_stopped(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        await views.caught_up()
    await views.write(RUN, "dag-exec_2", *RUN_HISTORY)
    again = Views(views.log, views.path)
    async with projecting(again):
        assert [row["resumes"] for row in await again.rows(runs)] == [1, 1]
    assert (await verify(views.log, views.path)).differences == ()


@pytest.mark.parametrize("leftovers", [True, False], ids=["-wal left behind", "all gone"])
async def test_a_deleted_file_comes_back_the_same(views: Views, leftovers: bool) -> None:
    async with projecting(views):
        await everything(views)
        before = await views.rows(run_steps)

        async def delete() -> None:
            for suffix in ("",) if leftovers else ("", "-wal", "-shm"):
                views.path.with_name(views.path.name + suffix).unlink(missing_ok=True)

        await views.announced_again(delete)
        assert before == await views.rows(run_steps)


async def test_views_of_another_version_answer_until_those_of_today_are_there(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        await views.caught_up()
    async with Database.open(views.path) as old:
        with old.engine.begin() as connection:
            connection.execute(checkpoint.update().values(version=0))
            connection.execute(text("ALTER TABLE dags DROP COLUMN generation_stats"))
        again = Views(views.log, views.path)
        async with projecting(again):
            assert ["generation_stats" in row for row in await again.rows(dags)] == [True]
        with old.engine.connect() as connection:
            assert connection.execute(select(runs.c.status)).scalars().all() == ["completed"]


async def test_either_all_tables_are_created_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables without a checkpoint would never be filled."""

    def break_off(*_: object) -> None:
        raise RuntimeError("killed")

    monkeypatch.setattr(database_module, "insert", break_off)
    with pytest.raises(RuntimeError, match="killed"):
        async with Database.open(tmp_path / "views.db"):
            pass
    monkeypatch.undo()
    async with Database.open(tmp_path / "views.db") as database:
        assert await database.position() == Checkpoint(VIEWS_VERSION, Mark())


async def test_verification_finds_a_row_that_the_log_does_not_justify(views: Views) -> None:
    async with projecting(views):
        await everything(views)
        await views.caught_up()
    verdict: Comparison = await verify(views.log, views.path)
    assert verdict.differences == ()
    assert verdict.rows > 0
    async with Database.open(views.path) as database:
        with database.engine.begin() as connection:
            connection.execute(text("UPDATE run_steps SET result = '\"forged\"' WHERE step = '001'"))
    (difference,) = (await verify(views.log, views.path)).differences
    assert (difference.table, difference.only_in_views, difference.only_in_log) == ("run_steps", 1, 1)


async def test_verification_reads_rows_in_the_order_of_an_index(
    views: Views, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite sorts a table that is read in another order, and keeps all of it in memory for that."""
    statements: set[str] = set()
    connect = sqlite3.connect

    def connect_and_record(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(statements.add)
        return connection

    async with projecting(views):
        await everything(views)
        await views.caught_up()
    with monkeypatch.context() as patched:
        patched.setattr(sqlite3, "connect", connect_and_record)
        await verify(views.log, views.path)
    read = {one for one in statements if one.startswith("SELECT")}
    with closing(connect(views.path)) as connection:
        plans = {one: str(connection.execute(f"EXPLAIN QUERY PLAN {one}").fetchall()) for one in read}
    assert len(plans) == len(metadata.tables) - 1
    assert {one: plan for one, plan in plans.items() if "TEMP B-TREE" in plan} == {}


async def test_a_views_file_may_have_any_name(tmp_path: Path) -> None:
    path = tmp_path / "größe?mode=ro#1 %41.db"
    async with Database.open(path) as database:
        assert await database.position() == Checkpoint(VIEWS_VERSION, Mark())
    assert path.exists()
