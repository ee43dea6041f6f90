"""Goals over HTTP."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from contracts import dag, goal, memory, run
from contracts.api.agents import AgentRow
from contracts.api.goals import GoalDetail, GoalRow, ListedGoal, MemoryRow
from contracts.api.schedules import ScheduleRow
from contracts.awaited import plan_id
from contracts.dag import DAG
from contracts.goal import GOAL
from contracts.memory import MEMORY, Kind, Memory
from contracts.run import RUN
from contracts.runtime.llm import LlmSettings
from contracts.scheduling import Schedule
from tests.services.gateway.shared import LLM, UNKNOWN_IDS, keys_of

if TYPE_CHECKING:
    from tests.services.conftest import Answer, Api, StartGateway

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
GOALS = "/api/v1/goals"
OBJECTIVE = "Find out what grows here"


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway that knows a model."""
    return await start_gateway(llm=LLM)


async def create(api: Api, **body: Any) -> Any:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, **body})
    assert answer.status == 201, answer.body
    return answer.json


async def new_agent(api: Api, name: str, version: str = "1", *, active: bool = True) -> str:
    body = {"name": name, "version": version, "promptTemplate": "Do {{objective}}", "metadata": {"k": 1}}
    agent_id: str = (await api.post("/api/v1/agents", body)).json["id"]
    if active:
        await api.post(f"/api/v1/agents/{agent_id}/activate")
    return agent_id


def turns(goal_id: str, **given: Any) -> run.GoalRequested:
    return run.GoalRequested(goal_id=goal_id, objective=OBJECTIVE, step_budget=5, **given)


def started() -> run.GoalStarted:
    used = run.AgentUsed(name="A", version_name="1", prompt_template="p")
    return run.GoalStarted(executor="e", at=NOW, agent=used, temperature=0.7, max_tokens=100)


async def running(api: Api, goal_id: str, run_id: str) -> None:
    await api.write(RUN, run_id, turns(goal_id))
    await api.write(RUN, run_id, started(), run.StepsStarted(steps=("1",)))


# ── create ──────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_goal_is_created_active(api: Api) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE})

    assert answer.status == 201
    goal_id, created_at = answer.json["id"], answer.json["createdAt"]
    assert goal_id.startswith("goal_")
    assert answer.json == {
        "id": goal_id,
        "objective": OBJECTIVE,
        "params": {},
        "webhookUrl": None,
        "agentId": None,
        "status": "active",
        "createdAt": created_at,
        "updatedAt": created_at,
    }
    assert (await api.get(f"{GOALS}/{goal_id}")).json == {**answer.json, "schedules": []}


async def test_params_are_kept_as_given_and_unknown_ones_are_passed_over(api: Api) -> None:
    params = {
        "stepBudget": 5,
        "allowedTools": ["readFile"],
        "constraints": {"language": "de", "places": [1, {"a": None}]},
        "temperature": 0.1,
        "maxTokens": 100,
        "strategy": "dag",
    }

    created = await create(api, params={**params, "unknown": 1}, unknown=2)

    assert created["params"] == params


async def test_the_agent_is_the_active_version_of_a_name(api: Api) -> None:
    first = await new_agent(api, "A", "1")
    goal_id = (await create(api, agentName="A", agentId="ignored"))["id"]
    await new_agent(api, "A", "2")

    shown = (await api.get(f"{GOALS}/{goal_id}")).json

    assert shown["agentId"] == first


async def test_any_version_can_be_named_by_its_id(api: Api) -> None:
    inactive = await new_agent(api, "A", active=False)

    assert (await create(api, agentName="", agentId=inactive))["agentId"] == inactive


async def test_without_a_name_and_an_id_the_default_agent_pursues_a_goal(api: Api) -> None:
    assert (await create(api))["agentId"] is None

    default = await new_agent(api, "defaultAgent")

    assert (await create(api, agentName="", agentId=""))["agentId"] == default


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"agentName": "nobody"}, "No active agent found with name: nobody"),
        ({"agentId": "nobody"}, "Agent not found with id: nobody"),
    ],
)
async def test_an_unknown_agent_is_refused(api: Api, body: Any, error: str) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, **body})

    assert (answer.status, answer.json) == (400, {"error": error})
    assert await api.log.last_seq() == 0


async def test_a_goal_can_have_a_schedule_from_the_beginning(api: Api) -> None:
    created = await create(api, schedule={"cronExpr": "0 9 * * *", "timezone": "Europe/Paris"})

    (schedule,) = (await api.get(f"{GOALS}/{created['id']}")).json["schedules"]

    assert "schedules" not in created
    assert schedule["id"].startswith("sched_")
    expected = {
        "goalId": created["id"],
        "cronExpr": "0 9 * * *",
        "timezone": "Europe/Paris",
        "active": True,
        "lastRunAt": None,
        "createdAt": created["createdAt"],
    }
    assert schedule | expected == schedule
    assert len(await api.log.read("goal", created["id"])) == 1


@pytest.mark.parametrize(
    ("schedule", "error"),
    [
        ({"cronExpr": "nonsense"}, "Invalid cron expression"),
        ({"cronExpr": ""}, "Invalid cron expression"),
        ({"cronExpr": "0 0 31 2 *"}, "Invalid cron expression"),
        ({"cronExpr": "* * * * *", "timezone": "Mars/Base"}, "Invalid timezone"),
        ({"cronExpr": "* * * * *", "timezone": ""}, "Invalid timezone"),
    ],
)
async def test_a_schedule_that_never_fires_is_refused_before_anything_is_written(
    api: Api, schedule: Any, error: str
) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, "schedule": schedule})

    assert (answer.status, answer.json["error"]) == (400, error)
    assert answer.json["details"]
    assert await api.log.last_seq() == 0


BAD: list[tuple[dict[str, Any], list[str]]] = [
    ({}, ["objective"]),
    ({"objective": "too short"}, ["objective"]),
    ({"objective": "x" * 10_001}, ["objective"]),
    ({"objective": 5}, ["objective"]),
    ({"objective": None}, ["objective"]),
    ({"params": None}, ["params"]),
    ({"params": []}, ["params"]),
    ({"params": {"stepBudget": 0}}, ["params", "stepBudget"]),
    ({"params": {"stepBudget": 1.5}}, ["params", "stepBudget"]),
    ({"params": {"stepBudget": "5"}}, ["params", "stepBudget"]),
    ({"params": {"allowedTools": "readFile"}}, ["params", "allowedTools"]),
    ({"params": {"constraints": ["short"]}}, ["params", "constraints"]),
    ({"params": {"strategy": "guess"}}, ["params", "strategy"]),
    ({"params": {"temperature": 3}}, ["params", "temperature"]),
    ({"webhookUrl": "nonsense"}, ["webhookUrl"]),
    ({"webhookUrl": "ftp://x/y"}, ["webhookUrl"]),
    ({"webhookUrl": "http:/x"}, ["webhookUrl"]),
    ({"webhookUrl": "http:x"}, ["webhookUrl"]),
    ({"webhookUrl": "https:///x"}, ["webhookUrl"]),
    ({"webhookUrl": "http://x/" + "y" * 2048}, ["webhookUrl"]),
]


@pytest.mark.parametrize(("body", "path"), BAD)
async def test_bad_input_is_refused_and_named(api: Api, body: Any, path: list[str]) -> None:
    body = {"objective": OBJECTIVE, **body} if body else {}
    answer = await api.post(GOALS, body)

    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert [issue["path"] for issue in answer.json["validation_errors"]] == [path]
    assert await api.log.last_seq() == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"agentName": 1}, ["agentName"]),
        ({"agentId": None}, ["agentId"]),
        ({"schedule": "daily"}, ["schedule"]),
        ({"schedule": {}}, ["schedule", "cronExpr"]),
        ({"schedule": {"cronExpr": "* * * * *", "timezone": None}}, ["schedule", "timezone"]),
        ({"schedule": {"cronExpr": "* * * * *", "overlap": "maybe"}}, ["schedule", "overlap"]),
        ({"schedule": {"cronExpr": "* * * * *", "jitterSeconds": -1}}, ["schedule", "jitterSeconds"]),
        ({"schedule": {"cronExpr": "* * * * *", "catchUpSeconds": 1e9}}, ["schedule", "catchUpSeconds"]),
        ({"schedule": {"cronExpr": "* * * * *", "paused": "no"}}, ["schedule", "paused"]),
    ],
)
async def test_bad_input_of_a_new_goal_only_is_refused_and_named(api: Api, body: Any, path: Any) -> None:
    answer = await api.post(GOALS, {"objective": OBJECTIVE, **body})

    assert (answer.status, [issue["path"] for issue in answer.json["validation_errors"]]) == (400, [path])


@pytest.mark.parametrize(
    ("sent", "content_type", "status"),
    [
        (b"", "application/json", 400),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"objective=x", "application/x-www-form-urlencoded", 415),
        (b'{"objective": "Find out\\u0000"}', "application/json", 400),
    ],
)
async def test_a_body_that_is_no_goal_is_refused(
    api: Api, sent: bytes, content_type: str, status: int
) -> None:
    answer = await api.call("POST", GOALS, data=sent, headers={"Content-Type": content_type})

    assert answer.status == status
    assert isinstance(answer.json["error"], str)
    assert await api.log.last_seq() == 0


async def test_how_long_an_objective_may_be_is_a_setting(start_gateway: StartGateway) -> None:
    api = await start_gateway(max_message_length=20)

    assert (await api.post(GOALS, {"objective": "x" * 20})).status == 201
    answer = await api.post(GOALS, {"objective": "x" * 21})

    (issue,) = answer.json["validation_errors"]
    assert (answer.status, issue["code"], issue["maximum"]) == (400, "too_big", 20)


async def test_a_goal_is_made_once_for_one_idempotency_key(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    body = {"objective": OBJECTIVE, "schedule": {"cronExpr": "@daily"}}

    answers = [await api.post(GOALS, body, headers=key) for _ in range(3)]
    other = await api.post(GOALS, {**body, "webhookUrl": "http://x"}, headers=key)

    assert [answer.status for answer in answers] == [201] * 3
    assert len({answer.body for answer in answers}) == 1
    assert other.status == 422
    assert len((await api.get(GOALS)).json) == 1


async def test_two_submits_at_once_make_one_goal_under_one_key_and_two_without(api: Api) -> None:
    async def twice(**headers: str) -> set[str]:
        submit = api.post(GOALS, {"objective": OBJECTIVE}, headers=headers)
        again = api.post(GOALS, {"objective": OBJECTIVE}, headers=headers)
        return {answer.json["id"] for answer in await asyncio.gather(submit, again)}

    assert len(await twice(**{"Idempotency-Key": "k"})) == 1
    assert len(await twice()) == 2


async def test_a_goal_is_answered_even_while_the_views_are_away(start_gateway: StartGateway) -> None:
    api = await start_gateway(projector=False, views_wait_s=0.01)

    created = await create(api, params={"stepBudget": 5}, schedule={"cronExpr": "@daily"})
    changed = await api.patch(f"{GOALS}/{created['id']}", {"webhookUrl": "http://x"})

    assert created["params"] == {"stepBudget": 5}
    assert (changed.status, changed.json["webhookUrl"]) == (200, "http://x")
    assert (await api.get(GOALS)).status == 503


# ── list and get ────────────────────────────────────────────────────────────────────────────────────────


async def test_goals_are_listed_newest_first_with_schedules_and_agent(api: Api) -> None:
    agent_id = await new_agent(api, "A")
    first = await create(api, schedule={"cronExpr": "@daily"})
    second = await create(api, agentName="A")
    await api.post(f"{GOALS}/{first['id']}/schedules", {"cronExpr": "@hourly"})

    newer, older = (await api.get(GOALS)).json

    assert (newer["id"], older["id"]) == (second["id"], first["id"])
    assert [one["cronExpr"] for one in older["schedules"]] == ["@daily", "@hourly"]
    assert (newer["schedules"], older["agent"]) == ([], None)
    assert newer["agent"] == (await api.get(f"/api/v1/agents/{agent_id}")).json


async def test_a_goal_whose_agent_is_gone_has_none(api: Api) -> None:
    agent_id = await new_agent(api, "A", active=False)
    goal_id = (await create(api, agentId=agent_id))["id"]
    await api.delete(f"/api/v1/agents/{agent_id}")

    (listed,) = (await api.get(GOALS)).json

    assert (listed["id"], listed["agentId"], listed["agent"]) == (goal_id, agent_id, None)


async def test_goals_are_listed_by_status_and_an_unknown_status_has_none(api: Api) -> None:
    active, paused, archived = [(await create(api))["id"] for _ in range(3)]
    await api.post(f"{GOALS}/{paused}/pause")
    await api.patch(f"{GOALS}/{archived}", {"status": "archived"})

    async def ids(status: str) -> list[str]:
        return [one["id"] for one in (await api.get(f"{GOALS}?status={status}")).json]

    assert [await ids(status) for status in ("active", "paused", "archived", "odd")] == [
        [active],
        [paused],
        [archived],
        [],
    ]


async def test_all_goals_are_listed_unless_a_part_is_asked_for(api: Api) -> None:
    ids = [(await create(api, schedule={"cronExpr": "@daily"}))["id"] for _ in range(60)]

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in (await api.get(GOALS + query)).json]

    assert await listed("") == ids[::-1]
    assert await listed("?limit=2&offset=1") == ids[-2:-4:-1]
    assert await listed("?offset=60") == []


@pytest.mark.parametrize("query", ["limit=0", "limit=x", "offset=-1", "offset=1e-3", "status=a&status=b"])
async def test_a_bad_query_is_refused(api: Api, query: str) -> None:
    answer = await api.get(f"{GOALS}?{query}")

    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")


async def test_rows_are_what_the_api_says_they_are(api: Api) -> None:
    """Rows are made without the models that describe them; this holds the two together."""
    await new_agent(api, "A")
    created = await create(api, agentName="A", schedule={"cronExpr": "@daily"})

    (listed,) = (await api.get(GOALS)).json
    detail = (await api.get(f"{GOALS}/{created['id']}")).json

    assert list(created) == keys_of(GoalRow)
    assert list(detail) == keys_of(GoalDetail)
    assert list(listed) == keys_of(ListedGoal)
    assert list(listed["agent"]) == keys_of(AgentRow)
    assert list(detail["schedules"][0]) == keys_of(ScheduleRow)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("POST", "/pause"),
        ("POST", "/resume"),
        ("GET", "/memories"),
        ("GET", "/schedules"),
    ],
)
async def test_an_unknown_id_is_not_found(api: Api, method: str, path: str) -> None:
    for goal_id in UNKNOWN_IDS:
        answer = await api.call(method, f"{GOALS}/{quote(goal_id)}{path}")

        assert (answer.status, answer.json) == (404, {"error": "Goal not found"})


# ── change ──────────────────────────────────────────────────────────────────────────────────────────────


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


async def test_a_change_to_what_already_is_writes_nothing(api: Api) -> None:
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


# ── run ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("options", [{}, {"json": {}}, {"headers": {"Content-Type": "application/json"}}])
async def test_a_run_is_triggered(api: Api, options: Any) -> None:
    agent_id = await new_agent(api, "A")
    params = {"stepBudget": 7, "allowedTools": ["readFile"], "constraints": {"a": 1}, "maxTokens": 5}
    goal_id = (await create(api, params=params, agentName="A", webhookUrl="http://x"))["id"]

    answer = await api.call("POST", f"{GOALS}/{goal_id}/run", **options)

    run_id = answer.json["runId"]
    assert (answer.status, answer.json) == (200, {"runId": run_id, "message": "Run triggered"})
    assert run_id.startswith("run_")
    shown = (await api.get(f"/api/v1/runs/{run_id}")).json
    expected = {
        "goalId": goal_id,
        "status": "pending",
        "stepBudget": 7,
        "workingMemory": {},
        "trigger": "api",
    }
    assert shown | expected == shown
    (recorded,) = await api.log.read("run", run_id)
    assert recorded.commit.events == (
        run.GoalRequested(
            goal_id=goal_id,
            objective=OBJECTIVE,
            step_budget=7,
            allowed_tools=("readFile",),
            constraints={"a": 1},
            max_tokens=5,
            agent_id=agent_id,
            webhook_url="http://x",
        ),
    )


async def test_the_budget_of_a_goal_without_one_is_a_setting(start_gateway: StartGateway) -> None:
    api = await start_gateway(llm=LLM, default_step_budget=9)
    goal_id = (await create(api))["id"]

    run_id = (await api.post(f"{GOALS}/{goal_id}/run")).json["runId"]

    assert (await api.get(f"/api/v1/runs/{run_id}")).json["stepBudget"] == 9


async def test_by_a_plan_a_run_begins_with_the_request_for_it(api: Api) -> None:
    params = {"strategy": "dag", "constraints": {"language": "de"}, "temperature": 0.2}
    goal_id = (await create(api, params=params))["id"]

    run_id = (await api.post(f"{GOALS}/{goal_id}/run")).json["runId"]

    shown = (await api.get(f"/api/v1/runs/{run_id}")).json
    assert (shown["status"], shown["strategy"], shown["dagId"]) == ("pending", "dag", plan_id(run_id))
    (recorded,) = await api.log.read("dag", plan_id(run_id))
    (wanted,) = recorded.commit.events
    assert isinstance(wanted, dag.Requested)
    assert (wanted.run_id, wanted.goal_id, wanted.temperature) == (run_id, goal_id, 0.2)
    assert "language: de" in wanted.goal_text


async def test_what_is_no_goal_cannot_be_run(api: Api) -> None:
    deleted = (await create(api))["id"]
    await api.delete(f"{GOALS}/{deleted}")
    for goal_id in (*UNKNOWN_IDS, deleted):
        answer = await api.post(f"{GOALS}/{quote(goal_id)}/run")

        assert (answer.status, answer.json) == (400, {"error": f"Goal not found: {goal_id}"})


@pytest.mark.parametrize("status", ["paused", "archived"])
async def test_a_goal_that_is_not_active_cannot_be_run(api: Api, status: str) -> None:
    goal_id = (await create(api))["id"]
    await api.patch(f"{GOALS}/{goal_id}", {"status": status})

    answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, answer.json) == (400, {"error": f"Goal is not active: {goal_id}"})
    assert (await api.get("/api/v1/runs")).json == []


async def test_only_so_many_runs_go_on_at_once(api: Api) -> None:
    """Those that wait, and those that have ended, do not count."""
    goal_id = (await create(api))["id"]
    for number in range(3):
        await running(api, goal_id, f"run_{number}")
    await api.write(RUN, "run_waiting", turns(goal_id))

    refused = await api.post(f"{GOALS}/{goal_id}/run")
    await api.write(RUN, "run_1", run.Failed(error="no"))
    taken = await api.post(f"{GOALS}/{goal_id}/run")

    error = "Maximum concurrent runs (3) exceeded. Current active runs: 3"
    assert (refused.status, refused.json) == (400, {"error": error})
    assert taken.status == 200


async def test_without_a_model_no_run_is_asked_for(start_gateway: StartGateway) -> None:
    api = await start_gateway()
    goal_id = (await create(api))["id"]

    answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, "LLM_PROVIDER" in answer.json["error"]) == (503, True)
    assert (await api.get("/api/v1/runs")).json == []


async def test_a_run_asked_for_while_its_goal_is_paused_does_not_go_on(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal_id = (await create(api))["id"]

    async def paused_meanwhile(_: object) -> int:
        await api.post(f"{GOALS}/{goal_id}/pause")
        return 0

    monkeypatch.setattr("gateway.api.goals.runs.queries.number_running", paused_meanwhile)
    answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, answer.json) == (400, {"error": f"Goal is not active: {goal_id}"})
    (row,) = (await api.get("/api/v1/runs")).json
    assert (row["status"], row["error"]) == ("failed", "cancelled: the goal was stopped at the same time")


async def test_the_model_of_the_goals_own_agent_is_enough(start_gateway: StartGateway) -> None:
    llm = LlmSettings(_env_file=None, llm_provider=None, llm_model=None, openai_api_key="k")
    api = await start_gateway(llm=llm)
    body = {"name": "A", "version": "1", "promptTemplate": "p", "provider": "openai", "model": "m"}
    agent_id = (await api.post("/api/v1/agents", body)).json["id"]
    goal_id = (await create(api, agentId=agent_id))["id"]

    assert (await api.post(f"{GOALS}/{goal_id}/run")).status == 200


async def test_one_run_is_asked_for_under_one_idempotency_key(api: Api) -> None:
    goal_id = (await create(api))["id"]
    key = {"Idempotency-Key": "k"}

    answers = [await api.post(f"{GOALS}/{goal_id}/run", headers=key) for _ in range(2)]

    assert answers[0].json == answers[1].json
    assert len((await api.get("/api/v1/runs")).json) == 1


async def test_a_run_asked_for_before_is_found_again_though_none_could_be_asked_for_now(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the gateway died before it could answer."""
    goal_id = (await create(api))["id"]
    key = {"Idempotency-Key": "k"}
    with monkeypatch.context() as broken:
        broken.setattr(api.gateway, "projected", _die)
        assert (await api.post(f"{GOALS}/{goal_id}/run", headers=key)).status == 500
    await api.post(f"{GOALS}/{goal_id}/pause")

    answer = await api.post(f"{GOALS}/{goal_id}/run", headers=key)

    assert answer.status == 200
    assert [one["id"] for one in (await api.get("/api/v1/runs")).json] == [answer.json["runId"]]


async def _die(*_: object) -> bool:
    raise RuntimeError("killed")


@pytest.mark.parametrize("strategy", ["agent", "dag"])
async def test_a_run_asked_for_while_its_goal_is_deleted_does_not_survive_it(
    api: Api, strategy: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    goal_id = (await create(api, params={"strategy": strategy}))["id"]
    room = "gateway.api.goals.runs.queries.number_running"

    async def deleted_meanwhile(_: object) -> int:
        assert (await api.delete(f"{GOALS}/{goal_id}")).status == 204
        return 0

    monkeypatch.setattr(room, deleted_meanwhile)
    answer: Answer = await api.post(f"{GOALS}/{goal_id}/run")

    assert (answer.status, answer.json) == (400, {"error": f"Goal not found: {goal_id}"})
    async for batch in api.log.tail("evt.run.>", after=0):
        assert batch[-1].commit.state == "cancelled"
        break


# ── memories ────────────────────────────────────────────────────────────────────────────────────────────


async def test_memories_are_listed_newest_first(api: Api) -> None:
    goal_id = (await create(api))["id"]
    for number, kind in enumerate((Kind.FACT, Kind.ARTIFACT, Kind.NOTE), start=1):
        kept = (Memory(type=kind, content=f"memory {number}", run_id=f"run_{number}"),)
        await api.write(MEMORY, goal_id, memory.Kept(run_id=f"run_{number}", added=kept, recalled=kept))

    newest, *_, oldest = (await api.get(f"{GOALS}/{goal_id}/memories")).json
    page = (await api.get(f"{GOALS}/{goal_id}/memories?limit=1&offset=1")).json

    assert list(newest) == keys_of(MemoryRow)
    expected = {"goalId": goal_id, "type": "note", "content": "memory 3", "metadata": {"runId": "run_3"}}
    assert newest | expected == newest
    assert oldest["content"] == "memory 1"
    assert [one["content"] for one in page] == ["memory 2"]


async def test_a_goal_without_runs_remembers_nothing(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective=OBJECTIVE))
    await api.write(GOAL, "goal_1", goal.ScheduleAdded(schedule_id="s", schedule=Schedule(cron="@daily")))

    assert (await api.get(f"{GOALS}/goal_1/memories")).json == []
    assert (await api.get(f"{GOALS}/goal_1/memories?limit=101")).status == 400
