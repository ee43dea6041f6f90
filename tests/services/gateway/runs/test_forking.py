"""Forking runs of goals over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.api.runs import RunOutputRow
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import agent, goal, run
from contracts.domain.agent import AGENT
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from tests.services.gateway.runs.runs import LEFT, OBJECTIVE, RUNS, STARTED, completed, done, planned, shown
from tests.services.gateway.shared import LLM, keys_of
from tests.services.gateway.watching import watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

WRITE_FILE = ToolSpec(
    name="writeFile",
    description="writes",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}, "content": {"type": "string"}},
        "required": ["path", "content"],
    },
    effect=Effect.IDEMPOTENT,
)


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with a model, a tool, an agent and a goal."""
    api = await start_gateway(llm=LLM)
    api.gateway.catalogue.add(WRITE_FILE)
    created = agent.Created(name="Poet", version_name="1", prompt_template="p")
    await api.write(AGENT, "agent_1", created, agent.Activated(name="Poet"))
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    return api


async def state(api: Api, id_: str) -> run.State:
    return RUN.fold(event for one in await api.log.read("run", id_) for event in one.commit.events)


async def test_a_fork_inherits_the_turns_before_the_one_that_it_takes_again(api: Api) -> None:
    await completed(api, "run_1")

    answer = await api.post(f"{RUNS}/run_1/fork", {"from": 2, "instruction": "Find more", "agent": "Poet"})

    fork_id = answer.json["runId"]
    assert (answer.status, answer.json) == (
        202,
        {
            "status": "forked",
            "forkedFrom": "run_1",
            "runId": fork_id,
            "goalId": "goal_1",
            "inheritedSteps": 1,
            "message": "Run started as a fork",
        },
    )
    row = await shown(api, fork_id)
    assert (row["forkedFrom"], row["stepsExecuted"], row["totalCostUsd"]) == ("run_1", 1, None)
    assert row["workingMemory"] == {"step_1_writeFile_0": {"path": "g.txt", "bytesWritten": 2}}
    (step,) = await shown(api, f"{fork_id}/steps")
    assert (step["inherited"], step["thought"], step["toolCalls"][0]["inherited"]) == (
        "original",
        "thought 1",
        "original",
    )
    (left,) = await shown(api, f"{fork_id}/outputs")
    assert list(left) == keys_of(RunOutputRow)
    assert (left["kind"], left["pathOrPayload"], left["inherited"]) == ("file", "g.txt", "original")
    assert {row["inherited"] for row in await shown(api, "run_1/outputs")} == {None}
    assert [row["id"] for row in (await api.get(f"{RUNS}?forkedFrom=run_1")).json] == [fork_id]
    loop = (await state(api, fork_id)).loop
    assert loop
    assert (loop.request.objective, loop.request.agent_id) == ("Find more", "agent_1")


async def test_a_call_can_have_other_parameters_or_a_given_result(api: Api) -> None:
    await completed(api, "run_1")

    other = {"path": "h.txt", "content": "yy"}
    again = await api.post(f"{RUNS}/run_1/fork", {"steps": {"1.0": {"params": other}}})
    given = await api.post(f"{RUNS}/run_1/fork", {"steps": {"1.0": {"result": "by hand"}}})

    (step,) = await shown(api, f"{again.json['runId']}/steps")
    assert (step["toolCalls"][0]["toolInput"], step["toolCalls"][0]["status"]) == (other, "running")
    (step,) = await shown(api, f"{given.json['runId']}/steps")
    assert (step["toolCalls"][0]["inherited"], step["observation"]) == ("given", "[writeFile] by hand")


async def test_a_run_by_a_plan_is_forked_as_a_run_of_its_goal(api: Api) -> None:
    written = done("001", {"path": "a.md"}, output=LEFT)
    await planned(api, "run_1", (STARTED, written), (run.Suspended(reason="no"),))
    api.gateway.catalogue.add(
        ToolSpec(name="readFile", description="", parameters={"type": "object"}, effect=Effect.READ)
    )
    created = agent.Created(name="inference", version_name="1", prompt_template="p")
    await api.write(AGENT, "agent_2", created, agent.Activated(name="inference"))

    answer = await api.post(f"{RUNS}/run_1/fork")

    assert (answer.status, answer.json["inheritedSteps"]) == (202, 1)
    row = await shown(api, answer.json["runId"])
    assert (row["strategy"], row["goalId"], row["forkedFrom"]) == ("dag", "goal_1", "run_1")
    (step,) = await shown(api, f"{row['id']}/steps")
    assert (step["inherited"], step["toolName"]) == ("original", "writeFile")
    (left,) = await shown(api, f"{row['id']}/outputs")
    assert (left["kind"], left["pathOrPayload"], left["inherited"]) == ("file", "a.md", "original")


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({}, [], "the agent has finished"),
        ({"from": 9}, ["from"], "'9' is no turn of the run: give a turn from 1 to 3"),
        ({"from": 0}, ["from"], ""),
        (
            {"steps": {"1.0": {"params": {"path": "x"}}}},
            ["steps", "1.0", "params", "content"],
            "needs the param",
        ),
        ({"steps": {"1.9": {"result": 1}}}, ["steps", "1.9"], "no step '1.9'"),
        ({"stepBudget": 1}, ["stepBudget"], "give at least 2"),
    ],
)
async def test_changes_that_do_not_fit_are_refused(api: Api, changes: Any, path: Any, why: str) -> None:
    await completed(api, "run_1")
    before = await api.log.last_seq()

    answer = await api.post(f"{RUNS}/run_1/fork", changes)

    assert answer.status == 400, answer.body
    issue = answer.json["validation_errors"][0]
    assert (issue["path"][: len(path)], why in issue["message"]) == (path, True), issue
    assert await api.log.last_seq() == before


async def test_a_run_of_a_stopped_goal_is_not_forked(api: Api) -> None:
    await completed(api, "run_1")
    await api.write(GOAL, "goal_1", goal.Paused())
    answer = await api.post(f"{RUNS}/run_1/fork", {"from": 1})
    assert (answer.status, "is paused" in answer.json["error"]) == (409, True)


async def test_a_run_that_waits_for_its_plan_cannot_be_forked_yet(api: Api) -> None:
    await planned(api, "run_1")
    answer = await api.post(f"{RUNS}/run_1/fork")
    assert (answer.status, "has no plan" in answer.json["error"]) == (409, True)
    assert (await api.post(f"{RUNS}/run_9/fork")).json == {"error": "Run not found"}


async def test_watchers_of_a_fork_are_told_which_turns_it_inherits(api: Api) -> None:
    await completed(api, "run_1")
    fork_id = (await api.post(f"{RUNS}/run_1/fork", {"from": 2})).json["runId"]
    async with watching_path(api, f"{RUNS}/{fork_id}/events", **{"Last-Event-ID": "0"}) as watcher:
        told = (await watcher.until("run.inherited"))[-1]
        assert (told.data["forkedFrom"], told.data["inheritedSteps"]) == ("run_1", ["1"])
