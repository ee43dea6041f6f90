"""The main job, end to end, on real processes: a goal goes in, its report and its files come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.domain.run.steps import SYNTHESIS

if TYPE_CHECKING:
    from tests.system.conftest import Bed, RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

GOAL = "Compare solar and wind power for a small farm"


async def test_a_goal_becomes_a_plan_steps_files_and_a_report(bed: Bed) -> None:
    started = await bed.client.dags.create_and_execute(GOAL)
    told = await bed.told(started.execution_id)
    execution = await bed.shown(started.execution_id)

    completed = [event.sub_step_id for event in told if event.type == "substep.completed"]
    assert completed[-2:] == ["006", SYNTHESIS]
    assert told[-1].type == "execution.completed"
    assert (execution.status, execution.completed_tasks) == ("completed", 6)
    assert {step.status for step in execution.sub_steps} == {"completed"}
    assert execution.final_result is not None
    assert execution.final_result == told[-1].final_result
    assert "# Solar or wind for a small farm" in execution.final_result
    written = {path.name: path.read_text() for path in bed.data.glob("artifacts/compare-solar-*/*.md")}
    assert "12 hectares" in written["farm.md"]
    assert written["comparison.md"] in execution.final_result


async def test_a_late_client_receives_the_same_events_as_a_live_one(bed: Bed) -> None:
    """Whoever comes after the end is told everything from the first event on, if it asks."""
    started = await bed.client.dags.execute_job(bed.hooks.job({"heard-1": (), "heard-2": ("heard-1",)}))
    live = await bed.told(started.execution_id)
    late = await bed.told(started.execution_id)
    assert [event.type for event in live if event.seq] == [event.type for event in late if event.seq]


async def test_a_goal_from_the_command_line_prints_its_report(bed: Bed, command: RunCli) -> None:
    ended = await command("run-goal", GOAL, "--url", bed.system.url)
    assert (ended.status, ended.output.splitlines()[0]) == (0, "# Solar or wind for a small farm")
    assert "Keep the comparison in a file" in ended.errors


async def test_a_command_tells_a_script_that_an_execution_was_cancelled(bed: Bed, command: RunCli) -> None:
    gate = bed.hooks.gate("cancelled-1")
    started = await bed.client.dags.execute_job(bed.hooks.job({"cancelled-1": ()}))
    await gate.called.wait()
    await bed.client.executions.cancel(started.execution_id, "not needed any more")
    assert await bed.end(started.execution_id) == "cancelled"
    ended = await command("watch", started.execution_id, "--url", bed.system.url)
    assert (ended.status, "not needed any more" in ended.errors) == (1, True)
