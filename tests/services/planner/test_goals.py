"""Plans that are made for a goal, whose run they become."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag, run
from contracts.domain.memory import MEMORY, Kept, Kind, Memory

if TYPE_CHECKING:
    from tests.services.planner.conftest import World


NOTE = Memory(type=Kind.NOTE, content="The file is long.", run_id="run_0")
DELETE = ToolSpec(
    name="deleteAll", description="Deletes all", effect=Effect.ONCE, parameters={"type": "object"}
)


async def test_the_run_of_a_plan_is_that_of_its_goal(world: World, job: dict[str, Any]) -> None:
    world.model.says(job)
    await world.plan(run_id="run_1", goal_id="goal_1", webhook_url="https://a.org/hook")
    (requested,) = await world.runs("run_1")
    assert isinstance(requested, run.Requested)
    assert (requested.goal_id, requested.webhook_url) == ("goal_1", "https://a.org/hook")


async def test_a_plan_is_offered_the_tools_that_its_goal_allows_and_may_use_no_others(
    world: World, job: dict[str, Any]
) -> None:
    world.catalogue.add(DELETE)
    forbidden = json.loads(json.dumps(job).replace("readFile", "deleteAll"))
    world.model.says(forbidden, job)
    await world.plan(goal_id="goal_1", allowed_tools=("readFile",))
    first, second = world.asked
    assert "deleteAll" not in first["messages"][0]["content"]
    assert "deleteAll" in second["messages"][-1]["content"]
    planned = (await world.events())[-1]
    assert isinstance(planned, dag.Planned)
    assert planned.job.sub_tasks[0].tool_or_prompt.name == "readFile"


async def test_a_plan_is_told_what_earlier_runs_of_its_goal_left(world: World, job: dict[str, Any]) -> None:
    kept = Kept(run_id="run_0", added=(NOTE,), recalled=(NOTE,))
    await world.happened("goal_1", kept, aggregate=MEMORY)
    world.model.says(job)
    *_, planned = await world.plan(goal_id="goal_1")
    told = world.asked[0]["messages"][-1]["content"]
    assert told.startswith("Read it\n\n# What earlier runs of this goal left\n")
    assert told.endswith('<data origin="earlier runs of this goal">\n- note: The file is long.\n</data>')
    assert isinstance(planned, dag.Planned)
    assert planned.job.original_request == "Read it"
