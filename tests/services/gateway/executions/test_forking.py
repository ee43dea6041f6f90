"""Forking executions over HTTP, and resuming them with corrections."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import BlobRef
from contracts.domain import agent, run
from contracts.domain.agent import AGENT
from contracts.domain.budget import Budget
from contracts.domain.run import RUN, Status
from contracts.domain.run.steps import SYNTHESIS
from contracts.runtime.log import Unavailable
from tests.services.gateway.executions.executions import (
    STARTED,
    WRITE_FILE,
    completed,
    done,
    requested,
    suspended,
    task,
)
from tests.services.gateway.shared import LLM
from tests.services.gateway.watching import watching_path

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

FORK = "/api/v1/dag-executions/e1/fork"
WELL = {"path": "b.md", "content": "y"}


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with a model, a tool and two agents."""
    api = await start_gateway(llm=LLM)
    api.gateway.catalogue.add(WRITE_FILE)
    for name in ("inference", "Poet"):
        created = agent.Created(name=name, version_name="1", prompt_template="p")
        await api.write(AGENT, f"agent_{name}", created, agent.Activated(name=name))
    return api


async def state(api: Api, id_: str) -> run.State:
    return RUN.fold(event for one in await api.log.read("run", id_) for event in one.commit.events)


async def shown(api: Api, id_: str) -> Any:
    answer = await api.get(f"/api/v1/dag-executions/{id_}")
    assert answer.status == 200
    return answer.json


async def test_a_fork_inherits_completed_steps_which_are_shown_as_such_and_cost_nothing(api: Api) -> None:
    await completed(api, "e1")

    answer = await api.post(FORK, {"from": "002"})

    fork_id = answer.json["executionId"]
    assert (answer.status, answer.json) == (
        202,
        {
            "status": "forked",
            "forkedFrom": "e1",
            "executionId": fork_id,
            "dagId": "d1",
            "inheritedSteps": 1,
            "message": "DAG execution started as a fork. Connect to SSE stream for live updates.",
        },
    )
    fork = await shown(api, fork_id)
    assert (fork["status"], fork["forkedFrom"], fork["completedTasks"], fork["totalCostUsd"]) == (
        "pending",
        "e1",
        1,
        None,
    )
    steps = {one["taskId"]: one for one in fork["subSteps"]}
    assert [(one["status"], one["inherited"], one["costUsd"]) for one in steps.values()] == [
        ("completed", "original", None),
        ("pending", None, None),
        ("pending", None, None),
    ]
    assert steps["001"]["result"] == '{"path":"a.md"}'
    assert (await shown(api, "e1"))["replacedBy"] is None
    for of, ids in (("e1", [fork_id]), (fork_id, [])):
        listed = (await api.get(f"/api/v1/dag-executions?forkedFrom={of}")).json["executions"]
        assert [row["id"] for row in listed] == ids


async def test_a_fork_lives_when_its_original_is_deleted(api: Api) -> None:
    await completed(api, "e1")
    fork_id = (await api.post(FORK, {"steps": {"001": {"result": {"path": "z"}}}})).json["executionId"]

    assert (await api.delete("/api/v1/dag-executions/e1")).status == 200

    fork = await shown(api, fork_id)
    assert (fork["forkedFrom"], fork["subSteps"][0]["inherited"]) == ("e1", "given")
    assert (await state(api, fork_id)).done == {"001": {"path": "z"}}
    assert (await api.post(FORK, {"from": "002"})).status == 404


async def test_a_large_given_result_is_in_the_object_store(api: Api) -> None:
    await completed(api, "e1")
    large = "x" * 100_000
    fork_id = (await api.post(FORK, {"steps": {"001": {"result": large}}})).json["executionId"]

    ref = BlobRef.of((await state(api, fork_id)).done["001"])
    assert ref
    assert await api.gateway.blobs.get_json(ref) == large
    assert (await shown(api, fork_id))["subSteps"][0]["result"] == large


async def test_a_fork_is_started_once_for_an_idempotency_key(api: Api) -> None:
    await completed(api, "e1")
    keyed = {"Idempotency-Key": "k"}

    first = await api.post(FORK, {"from": "002"}, headers=keyed)
    again = await api.post(FORK, {"from": "002"}, headers=keyed)

    assert (first.status, first.json) == (202, again.json)


async def test_a_suspended_execution_is_replaced_when_it_is_resumed_with_corrections(api: Api) -> None:
    await suspended(api, "e1", task("001"), task("002", "001"))

    answer = await api.post("/api/v1/resume-dag/e1", {"steps": {"001": {"params": WELL}}})

    fork_id = answer.json["executionId"]
    assert (answer.status, answer.json["status"], answer.json["forkedFrom"]) == (202, "replaced", "e1")
    original, fork = await shown(api, "e1"), await shown(api, fork_id)
    assert (original["status"], original["cancelledReason"]) == ("failed", f"replaced by {fork_id}")
    assert (original["replacedBy"], fork["forkedFrom"]) == (fork_id, "e1")
    assert fork["subSteps"][0]["toolOrPromptParams"] == WELL
    again = await api.post("/api/v1/resume-dag/e1", {"steps": {"001": {"params": WELL}}})
    assert (again.status, again.json["currentStatus"]) == (400, "failed")


async def test_a_replacement_that_broke_off_is_completed_by_the_same_request(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The original is cancelled first, so the two never run at once."""
    await suspended(api, "e1")
    append, away = api.log.append, [Unavailable("away")]

    async def append_later(commit: Any, *, after: int) -> int:
        if commit.state == Status.PENDING and away:
            raise away.pop()
        return await append(commit, after=after)

    monkeypatch.setattr(api.log, "append", append_later)
    body, keyed = {"steps": {"001": {"params": WELL}}}, {"Idempotency-Key": "k"}
    assert (await api.post("/api/v1/resume-dag/e1", body, headers=keyed)).status == 503
    assert (await state(api, "e1")).status is Status.CANCELLED

    answer = await api.post("/api/v1/resume-dag/e1", body, headers=keyed)

    assert answer.status == 202
    assert (await state(api, "e1")).replaced_by == answer.json["executionId"]
    assert (await state(api, answer.json["executionId"])).status is Status.PENDING


async def test_a_running_execution_is_forked_as_it_is_and_replaced_if_that_is_wanted(api: Api) -> None:
    await api.write(RUN, "e1", requested(task("001"), task("002", "001")))
    await api.write(RUN, "e1", STARTED, done("001", "r"))

    kept = await api.post(FORK, {"from": "002"})
    assert (kept.status, (await state(api, "e1")).status) == (202, Status.RUNNING)
    replaced = await api.post(FORK, {"from": "002", "replace": True})
    assert (replaced.json["status"], (await state(api, "e1")).status) == ("replaced", Status.CANCELLED)


async def test_agents_models_and_instructions_can_change(api: Api) -> None:
    await completed(api, "e1")

    changes = {"steps": {"002": {"instruction": "rhyme", "agent": "Poet"}}, "model": "gpt-9"}
    answer = await api.post(FORK, changes)

    assert answer.status == 202
    request = (await state(api, answer.json["executionId"])).request
    assert request
    call = request.job.sub_tasks[1].tool_or_prompt
    assert (call.name, call.params, request.model) == ("Poet", {"prompt": "rhyme"}, "gpt-9")


@pytest.mark.parametrize(
    ("changes", "path", "why"),
    [
        ({}, [], "every step is completed: say what changes"),
        ({"from": "0002"}, None, None),
        ({"from": "xx"}, ["from"], "the run has no step 'xx'"),
        ({"steps": {"00l": {"params": WELL}}}, ["steps", "00l"], "did you mean '00"),
        (
            {"steps": {"001": {"params": {"path": "a"}}}},
            ["steps", "001", "params", "content"],
            "needs the parameter",
        ),
        (
            {"steps": {"001": {"params": {"path": 5, "content": ""}}}},
            ["steps", "001", "params", "path"],
            "writeFile",
        ),
        ({"steps": {"002": {"agent": "Pot"}}}, ["steps", "002", "agent"], "did you mean 'Poet'"),
        ({"steps": {"001": {"parms": {}}}}, ["steps", "001"], "did you mean 'params'"),
        ({"steps": {"001": {"result": {"$blob": "x"}}}}, ["steps", "001", "result"], "'$blob' is reserved"),
        ({"stepBudget": 5, "from": "001"}, ["stepBudget"], "only a run by an agent"),
        ({"from": "001", "replace": True}, ["replace"], "the run is completed"),
    ],
)
async def test_changes_that_do_not_fit_are_refused_before_anything_is_written(
    api: Api, changes: Any, path: Any, why: Any
) -> None:
    await completed(api, "e1")
    before = await api.log.last_seq()

    answer = await api.post(FORK, changes)

    if path is None:
        assert answer.status == 202
        return
    assert answer.status == 400, answer.body
    (issue, *_) = answer.json["validation_errors"]
    assert (issue["path"], why in issue["message"]) == (path, True), issue
    assert await api.log.last_seq() == before


async def test_an_unknown_agent_is_refused_and_a_close_one_named(api: Api) -> None:
    await completed(api, "e1")
    answer = await api.post(FORK, {"agent": "Pot"})
    assert answer.status == 400
    assert "no active agent 'Pot'; did you mean 'Poet'" in answer.json["error"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"provider": "opanai", "model": "m"}, "provider 'opanai' is unknown"),
        ({"provider": "openai", "model": "m"}, "set OPENAI_API_KEY"),
    ],
)
async def test_a_model_that_the_fork_asks_for_and_that_cannot_be_called_is_refused(
    api: Api, asked: dict[str, str], says: str
) -> None:
    await completed(api, "e1")
    answer = await api.post(FORK, {"from": SYNTHESIS, **asked})
    assert answer.status == 400
    assert answer.json["error"].startswith("provider: ")
    assert says in answer.json["error"]


async def test_only_steps_that_run_need_their_tool(api: Api) -> None:
    await completed(api, "e1")
    api.gateway.catalogue.remove("writeFile")

    assert (await api.post(FORK, {"from": "002"})).status == 202
    refused = await api.post(FORK, {"from": "001"})
    assert refused.status in {400, 503}


async def test_watchers_of_a_fork_are_told_what_it_inherits(api: Api) -> None:
    await completed(api, "e1")
    fork_id = (await api.post(FORK, {"from": "002"})).json["executionId"]
    events = f"/api/v1/dag-executions/{fork_id}/events"
    async with watching_path(api, events, **{"Last-Event-ID": "0"}) as watcher:
        told = await watcher.until("execution.inherited")
        assert told[-1].data["forkedFrom"] == "e1"
        assert told[-1].data["inheritedSteps"] == ["001"]
        update = await watcher.next()
        assert (update.event, update.data["completedTasks"]) == ("execution.updated", 1)


async def test_a_fork_ends_like_any_execution_and_costs_only_what_it_ran(api: Api) -> None:
    await completed(api, "e1")
    fork_id = (await api.post(FORK, {"from": SYNTHESIS})).json["executionId"]
    report = done(SYNTHESIS, "a report", cost_usd="0.5")
    await api.write(RUN, fork_id, STARTED, report, run.Completed(completed_steps=2, duration_ms=5))

    fork = await shown(api, fork_id)
    assert (fork["status"], fork["finalResult"], fork["totalCostUsd"]) == (
        "completed",
        "a report",
        "0.5",
    )
    assert (fork["completedTasks"], fork["totalTasks"]) == (2, 2)


async def test_a_fork_has_the_budget_that_its_body_gives(api: Api) -> None:
    await completed(api, "e1")
    answer = await api.post(FORK, {"from": "002", "budget": {"usd": 0.5}})
    fork_id = answer.json["executionId"]
    assert (await state(api, fork_id)).budget == Budget(usd="0.5")
    limits = (await api.get(f"/api/v1/dag-executions/{fork_id}/budget")).json["limits"]
    assert limits[0] == {"limit": "usd", "allowed": "0.5", "spent": "0", "left": "0.5"}


async def test_a_correction_of_a_suspended_execution_gets_no_new_budget(api: Api) -> None:
    await suspended(api, "e1")
    before = (await state(api, "e1")).spent
    corrected = {"steps": {"001": {"params": WELL}}}
    answer = await api.post("/api/v1/resume-dag/e1", corrected)
    assert answer.json["status"] == "replaced"
    inherited = [
        event
        for one in await api.log.read("run", answer.json["executionId"])
        for event in one.commit.events
        if isinstance(event, run.Inherited)
    ]
    assert [one.spent for one in inherited] == [before.as_spent]


async def test_a_budget_of_a_fork_that_is_no_budget_is_refused(api: Api) -> None:
    await completed(api, "e1")
    answer = await api.post(FORK, {"from": "002", "budget": {"usd": -1}})
    assert answer.status == 400
    assert "budget" in str(answer.json)
