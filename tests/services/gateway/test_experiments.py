"""Experiments over HTTP; a task that answers every request for a plan stands for the planner."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.event import Event
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from tests.services.gateway.shared import LLM, add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

PATH = "/api/v1/dag-experiments"
BODY = {
    "goal-text": "do it",
    "agentName": "Planner",
    "provider": "ollama",
    "models": ["small", "large"],
    "temperatures": [0, 0.5, 1],
    "seed": None,
}
KEY = {"Idempotency-Key": "k1"}


def job(**changes: Any) -> Job:
    given = {
        "original_request": "do it",
        "intent": {"primary": "do", "sub_intents": []},
        "entities": [],
        "sub_tasks": [],
        "validation": {"coverage": "high"},
    }
    return Job.model_validate(given | changes)


PLANNED = dag.Planned(job=job())
ASKED = dag.ClarificationAsked(
    query="which?", job=job(clarification_needed=True, clarification_query="which?")
)
REJECTED = dag.Rejected(http_status=500, error="the model said nothing")


class Planner:
    """What was asked of it, and how much at once."""

    def __init__(self) -> None:
        self.requests: list[dag.Requested] = []
        self.waiting: list[tuple[str, dag.Requested]] = []
        self.most_waiting = 0

    def take(self, dag_id: str, request: dag.Requested) -> None:
        self.requests.append(request)
        self.waiting.append((dag_id, request))
        self.most_waiting = max(self.most_waiting, len(self.waiting))


@asynccontextmanager
async def planning(
    api: Api, decide: Callable[[dag.Requested], Event] = lambda _: PLANNED, at_once: int = 1
) -> AsyncGenerator[Planner]:
    """Decide about requests in the order they come: when `at_once` of them wait, or all of BODY have come."""
    planner = Planner()

    async def work() -> None:
        async with aclosing(api.log.tail("evt.dag.*.requested")) as batches:
            async for batch in batches:
                for recorded in batch:
                    (wanted,) = recorded.commit.events
                    assert isinstance(wanted, dag.Requested)
                    planner.take(recorded.commit.aggregate_id, wanted)
                while planner.waiting and (len(planner.waiting) >= at_once or len(planner.requests) == 6):
                    dag_id, request = planner.waiting.pop(0)
                    await api.write(DAG, dag_id, decide(request))

    task = asyncio.create_task(work())
    try:
        yield planner
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    api = await start_gateway(llm=LLM, experiments_parallel=1)
    await add_agent(api)
    return api


def told(answer: Any, *keys: str) -> Sequence[Any]:
    return [tuple(result.get(key) for key in keys) for result in answer.json["results"]]


async def test_every_model_is_tried_at_every_temperature(api: Api) -> None:
    async with planning(api) as planner:
        answer = await api.post(PATH, BODY | {"seed": 7})
    combinations = [(m, t) for m in ("small", "large") for t in (0, 0.5, 1)]
    assert answer.status == 200
    assert {key: value for key, value in answer.json.items() if key != "results"} == {
        "status": "completed",
        "totalExperiments": 6,
        "successCount": 6,
        "failureCount": 0,
    }
    assert told(answer, "model", "temperature", "success", "error") == [
        (model, temperature, True, None) for model, temperature in combinations
    ]
    assert [(one.model, one.temperature) for one in planner.requests] == combinations
    assert {(one.provider, one.seed, one.goal_text) for one in planner.requests} == {("ollama", 7, "do it")}


async def test_each_result_names_an_existing_dag(api: Api) -> None:
    async with planning(api):
        answer = await api.post(PATH, BODY)
    ids = {dag_id for (dag_id,) in told(answer, "dagId")}
    listed = (await api.get("/api/v1/dags")).json["dags"]
    assert {row["id"] for row in listed} == ids
    assert len(ids) == 6
    assert all(dag_id.startswith("dag_") for dag_id in ids)
    assert {(row["params"]["model"], row["params"]["temperature"]) for row in listed} == {
        (m, t) for m in ("small", "large") for t in (0, 0.5, 1)
    }


async def test_an_experiment_without_a_plan_has_its_dag_and_the_reason(api: Api) -> None:
    ends = {0: PLANNED, 0.5: ASKED, 1: REJECTED}
    async with planning(api, lambda request: ends[request.temperature]):
        answer = await api.post(PATH, BODY | {"models": ["small"]})
    assert (answer.json["successCount"], answer.json["failureCount"]) == (1, 2)
    assert told(answer, "success", "error") == [
        (True, None),
        (False, "the model asks for a clarification: which?"),
        (False, "the model said nothing"),
    ]
    assert all(dag_id for (dag_id,) in told(answer, "dagId"))


@pytest.mark.parametrize("parallel", [1, 3])
async def test_no_more_are_planned_at_once_than_is_set(start_gateway: StartGateway, parallel: int) -> None:
    api = await start_gateway(llm=LLM, experiments_parallel=parallel)
    await add_agent(api)
    async with planning(api, at_once=parallel) as planner:
        answer = await api.post(PATH, BODY)
    assert answer.json["successCount"] == 6
    assert planner.most_waiting == parallel


async def test_planning_that_takes_too_long_goes_on_without_the_client(start_gateway: StartGateway) -> None:
    api = await start_gateway(llm=LLM, planning_wait_s=0.01)
    await add_agent(api)
    answer = await api.post(PATH, BODY | {"models": ["small"], "temperatures": [0]})
    ((dag_id, success, error),) = told(answer, "dagId", "success", "error")
    assert (success, error) == (False, "planning continues; get the DAG later")
    assert len(await api.log.read("dag", dag_id)) == 1


async def test_sent_again_with_its_key_nothing_is_planned_again(api: Api) -> None:
    async with planning(api) as planner:
        first = await api.post(PATH, BODY, headers=KEY)
        second = await api.post(PATH, BODY, headers=KEY)
    assert first.body == second.body
    assert len(planner.requests) == 6


async def test_the_same_combination_twice_is_two_experiments_with_a_key_too(api: Api) -> None:
    body = BODY | {"models": ["small", "small"], "temperatures": [0]}
    async with planning(api):
        answer = await api.post(PATH, body, headers=KEY)
    assert len({dag_id for (dag_id,) in told(answer, "dagId")}) == 2


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"goal-text": ""}, ["goal-text"], "too_small"),
        ({"agentName": 1}, ["agentName"], "invalid_type"),
        ({"models": []}, ["models"], "too_small"),
        ({"models": [""]}, ["models", 0], "too_small"),
        ({"models": ["m"] * 21}, ["models"], "too_big"),
        ({"temperatures": []}, ["temperatures"], "too_small"),
        ({"temperatures": [2.1]}, ["temperatures", 0], "too_big"),
        ({"temperatures": ["0"]}, ["temperatures", 0], "invalid_type"),
        ({"provider": None}, ["provider"], "invalid_type"),
        ({"seed": "1"}, ["seed"], "invalid_type"),
    ],
)
async def test_the_body_is_checked(api: Api, changes: Any, path: list[Any], code: str) -> None:
    before = await api.log.last_seq()
    answer = await api.post(PATH, BODY | changes)
    assert (answer.status, answer.json["error"]) == (400, "Invalid input parameters")
    assert [(issue["path"], issue["code"]) for issue in answer.json["validation_errors"]] == [(path, code)]
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"agentName": "Nobody"}, "Agent 'Nobody' not found OR not active"),
        ({"provider": "openai"}, "Invalid LLM provider configuration: "),
    ],
)
async def test_an_unusable_setting_fails_each_experiment_and_not_the_request(
    api: Api, changes: Any, error: str
) -> None:
    before = await api.log.last_seq()
    answer = await api.post(PATH, BODY | changes)
    assert (answer.status, answer.json["successCount"], answer.json["failureCount"]) == (200, 0, 6)
    assert {shown[:2] for shown in told(answer, "success", "dagId")} == {(False, None)}
    assert all(shown.startswith(error) for (shown,) in told(answer, "error"))
    assert await api.log.last_seq() == before
