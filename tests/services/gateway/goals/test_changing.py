"""Changing, pausing, resuming and deleting goals over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from contracts.domain import dag, goal, run
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run_requests import plan_id
from tests.services.gateway.goals.goals import BAD, GOALS, OBJECTIVE, create, running, turns

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

# ── change ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_events_of_a_webhook_can_be_chosen_and_changed(api: Api) -> None:
    created = await create(api, webhookUrl="http://x/hook", webhookEvents=["ended", "asked"])
    assert created["webhookEvents"] == ["ended", "asked"]
    path = f"{GOALS}/{created['id']}"
    assert (await api.patch(path, {"objective": "Find out more"})).json["webhookEvents"] == ["ended", "asked"]
    assert (await api.patch(path, {"webhookEvents": ["asked"]})).json["webhookEvents"] == ["asked"]
    assert (await api.get(path)).json["webhookEvents"] == ["asked"]
    run_id = (await api.post(f"{path}/run")).json["runId"]
    (recorded,) = await api.log.read("run", run_id)
    (requested,) = recorded.commit.events
    assert isinstance(requested, run.GoalRequested)
    assert requested.webhook_events == ("asked",)


@pytest.mark.parametrize("events", [[], ["asks"], "asked", None])
async def test_a_webhook_is_not_called_about_what_there_is_not(api: Api, events: Any) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, "webhookEvents": events})
    assert answer.status == 400
    assert answer.json["validation_errors"][0]["path"][0] == "webhookEvents"


async def test_keys_that_are_left_out_stay_and_params_are_replaced(api: Api) -> None:
    created = await create(
        api, params={"stepBudget": 5, "temperature": 1}, webhookUrl="http://x/hook", agentName=""
    )
    goal_id = created["id"]

    first = (await api.patch(f"{GOALS}/{goal_id}", {"params": {"stepBudget": 7}, "agentId": "x"})).json
    second = (await api.patch(f"{GOALS}/{goal_id}", {"objective": "Another thing to do"})).json

    assert first == {**created, "params": {"stepBudget": 7}, "updatedAt": first["updatedAt"]}
    assert second == {**first, "objective": "Another thing to do", "updatedAt": second["updatedAt"]}
    assert second == {
        key: value for key, value in (await api.get(f"{GOALS}/{goal_id}")).json.items() if key != "schedules"
    }


async def test_null_takes_the_webhook_away(api: Api) -> None:
    goal_id = (await create(api, webhookUrl="http://x/hook"))["id"]

    assert (await api.patch(f"{GOALS}/{goal_id}", {})).json["webhookUrl"] == "http://x/hook"
    assert (await api.patch(f"{GOALS}/{goal_id}", {"webhookUrl": None})).json["webhookUrl"] is None


async def test_a_change_without_effect_writes_nothing(api: Api) -> None:
    created = await create(api)
    before = await api.log.last_seq()

    answer = await api.patch(f"{GOALS}/{created['id']}", {"objective": OBJECTIVE, "status": "active"})

    assert (answer.status, answer.json) == (200, created)
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("body", "path"), [*((body, path) for body, path in BAD if body), ({"status": "odd"}, ["status"])]
)
async def test_a_bad_change_is_refused_and_changes_nothing(api: Api, body: Any, path: list[str]) -> None:
    created = await create(api)

    answer = await api.patch(f"{GOALS}/{created['id']}", body)

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert [issue["path"] for issue in answer.json["validation_errors"]] == [path]
    assert (await api.get(f"{GOALS}/{created['id']}")).json == {**created, "schedules": []}


async def test_status_in_a_patch_does_what_pausing_and_resuming_do(api: Api) -> None:
    goal_id = (await create(api, schedule={"cronExpr": "@daily"}))["id"]

    async def active() -> tuple[str, bool]:
        shown = (await api.get(f"{GOALS}/{goal_id}")).json
        return shown["status"], shown["schedules"][0]["active"]

    async def patch(status: str) -> None:
        answer = await api.patch(f"{GOALS}/{goal_id}", {"status": status})
        assert (answer.status, answer.json["status"]) == (200, status)

    await patch("paused")
    assert await active() == ("paused", False)
    await patch("active")
    assert await active() == ("active", True)
    await patch("archived")
    assert await active() == ("archived", False)


async def test_fields_and_status_change_in_one_commit(api: Api) -> None:
    goal_id = (await create(api))["id"]

    await api.patch(f"{GOALS}/{goal_id}", {"status": "paused", "objective": "Another thing to do"})

    commits = await api.log.read("goal", goal_id)
    assert [type(event) for event in commits[-1].commit.events] == [goal.Updated, goal.Paused]


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"headers": {"Content-Type": "application/json"}}])
async def test_pausing_and_resuming_answer_the_goal_and_a_message(api: Api, options: Any) -> None:
    created = await create(api, schedule={"cronExpr": "@daily"})
    url = f"{GOALS}/{created['id']}"

    paused = await api.call("POST", f"{url}/pause", **options)
    while_paused = (await api.get(url)).json
    resumed = await api.call("POST", f"{url}/resume", **options)

    expected = {**created, "status": "paused", "message": "Goal paused"}
    assert (paused.status, {**paused.json, "updatedAt": ""}) == (200, {**expected, "updatedAt": ""})
    assert [one["active"] for one in while_paused["schedules"]] == [False]
    expected = {**created, "status": "active", "message": "Goal resumed"}
    assert (resumed.status, {**resumed.json, "updatedAt": ""}) == (200, {**expected, "updatedAt": ""})


async def test_pausing_twice_changes_nothing_and_runs_go_on(api: Api) -> None:
    goal_id = (await create(api))["id"]
    await running(api, goal_id, "run_1")

    first = await api.post(f"{GOALS}/{goal_id}/pause")
    before = await api.log.last_seq()
    second = await api.post(f"{GOALS}/{goal_id}/pause")

    assert first.json == second.json
    assert await api.log.last_seq() == before
    assert (await api.get("/api/v1/runs/run_1")).json["status"] == "running"


# ── delete ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_goal_is_gone_with_everything_that_belongs_to_it(api: Api) -> None:
    goal_id = (await create(api, schedule={"cronExpr": "@daily"}))["id"]
    (schedule,) = (await api.get(f"{GOALS}/{goal_id}")).json["schedules"]
    await api.write(RUN, "run_1", turns(goal_id))
    await api.write(RUN, "run_1", run.Failed(error="no"))

    answer = await api.delete(f"{GOALS}/{goal_id}")

    assert (answer.status, answer.body) == (204, b"")
    paths = (f"goals/{goal_id}", "runs/run_1", "runs/run_1/steps", f"schedules/{schedule['id']}/ticks")
    assert [(await api.get(f"/api/v1/{path}")).status for path in paths] == [404] * 4
    assert (await api.get(GOALS)).json == (await api.get("/api/v1/runs")).json == []
    assert (await api.delete(f"{GOALS}/{goal_id}")).status == 404
    assert (await api.patch(f"{GOALS}/{goal_id}", {"status": "active"})).status == 404


async def test_runs_that_are_going_on_are_cancelled_before_their_goal_is_deleted(api: Api) -> None:
    goal_id = (await create(api))["id"]
    await running(api, goal_id, "run_1")
    await api.write(RUN, "run_2", turns(goal_id))
    by_plan = dag.Requested(goal_text=OBJECTIVE, agent_name="D", goal_id=goal_id, run_id="run_3")
    await api.write(DAG, plan_id("run_3"), by_plan)
    await running(api, "goal_other", "run_4")

    answer = await api.delete(f"{GOALS}/{goal_id}")

    assert answer.status == 204
    states = {id_: (await api.log.read("run", id_))[-1].commit.state for id_ in ("run_1", "run_2", "run_3")}
    assert set(states.values()) == {"cancelled"}
    assert (await api.log.read("dag", plan_id("run_3")))[-1].commit.state == "rejected"
    assert (await api.log.read("run", "run_4"))[-1].commit.state == "running"
    cancelled = max([(await api.log.read("run", id_))[-1].seq for id_ in states])
    assert (await api.log.read("goal", goal_id))[-1].seq > cancelled


async def test_a_goal_is_deleted_only_when_all_its_runs_are_known(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False, views_wait_s=0.01)
    goal_id = (await create(api))["id"]

    answer = await api.delete(f"{GOALS}/{goal_id}")

    assert answer.status == 503
    assert (await api.log.read("goal", goal_id))[-1].commit.state == "archived"
