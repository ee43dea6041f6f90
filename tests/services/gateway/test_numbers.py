"""Numbers and lengths over HTTP, as clients in JavaScript know them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.described import described
from tests.services.gateway.shared import LLM, add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

LARGEST = 2**63 - 1


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway whose agent Planner can be asked for plans that nobody makes."""
    api = await start_gateway(llm=LLM)
    await add_agent(api)
    return api


async def planned_with(api: Api, raw: str) -> Any:
    """The row of a DAG asked for with this further JSON."""
    body = f'{{"goal-text": "do it", "agentName": "Planner", {raw}}}'
    headers = {"Prefer": "respond-async", "Content-Type": "application/json"}
    answer = await api.call("POST", "/api/v1/create-dag", data=body, headers=headers)
    assert answer.status == 202, answer.body
    return (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json


@pytest.mark.parametrize(
    ("given", "kept"), [("100.0", 100), ("0.5", 1), ("99.5", 100), ("1e3", 1000), ("1e25", 10_000_000)]
)
async def test_any_number_above_0_is_a_number_of_tokens(api: Api, given: str, kept: int) -> None:
    assert (await planned_with(api, f'"max_tokens": {given}'))["params"]["max_tokens"] == kept


@pytest.mark.parametrize(
    ("given", "kept"), [("7", 7), ("7.0", 7), ("0.5", 1), ("-3", -3), ("1e25", LARGEST), ("-1e25", -LARGEST)]
)
async def test_any_number_is_a_seed(api: Api, given: str, kept: int) -> None:
    assert (await planned_with(api, f'"seed": {given}'))["params"]["seed"] == kept


@pytest.mark.parametrize("value", ["0", "-1", "-0.5", '"5"', "null", "true"])
async def test_an_invalid_number_of_tokens_is_refused(api: Api, value: str) -> None:
    body = f'{{"goal-text": "do it", "agentName": "Planner", "max_tokens": {value}}}'
    headers = {"Content-Type": "application/json"}
    answer = await api.call("POST", "/api/v1/create-dag", data=body, headers=headers)
    assert answer.status == 400
    assert [issue["path"] for issue in answer.json["validation_errors"]] == [["max_tokens"]]


async def test_an_integer_may_be_written_with_a_point(api: Api) -> None:
    goal = {
        "objective": "reach something",
        "params": {"stepBudget": 5.0},
        "schedule": {"cronExpr": "@daily", "jitterSeconds": 3.0, "catchUpSeconds": 60.0},
    }
    made = await api.post("/api/v1/goals", goal)
    assert made.status == 201
    shown = (await api.get(f"/api/v1/goals/{made.json['id']}")).json
    assert shown["params"] == {"stepBudget": 5}
    assert (shown["schedules"][0]["jitterSeconds"], shown["schedules"][0]["catchUpSeconds"]) == (3, 60)


@pytest.mark.parametrize(
    ("budget", "message"),
    [
        ("0.5", "Expected integer, received float"),
        ("1e25", "Number must be less than or equal to 100000"),
        ("1000000000000000000", "Number must be less than or equal to 100000"),
    ],
)
async def test_a_huge_integer_is_not_called_a_float(api: Api, budget: str, message: str) -> None:
    body = f'{{"objective": "reach something", "params": {{"stepBudget": {budget}}}}}'
    headers = {"Content-Type": "application/json"}
    answer = await api.call("POST", "/api/v1/goals", data=body, headers=headers)
    assert answer.status == 400
    assert [issue["message"] for issue in answer.json["validation_errors"]] == [message]


@pytest.mark.parametrize(
    ("query", "limit", "offset"),
    [("limit=1e1", 10, 0), ("offset=", 50, 0), ("limit=5.0&offset=%202%20", 5, 2), ("limit=0x10", 16, 0)],
)
async def test_the_text_of_a_query_becomes_a_number(api: Api, query: str, limit: int, offset: int) -> None:
    answer = await api.get(f"/api/v1/dags?{query}")
    assert answer.status == 200, answer.body
    shown = answer.json["pagination"]
    assert (shown["limit"], shown["offset"]) == (limit, offset)


@pytest.mark.parametrize(
    ("query", "expected", "received"),
    [
        ("limit=abc", "number", "nan"),
        ("limit=1_0", "number", "nan"),
        ("limit=1&limit=2", "number", "nan"),
        ("limit=1.5", "integer", "float"),
    ],
)
async def test_a_text_that_is_not_an_integer_is_refused_in_the_words_of_zod(
    api: Api, query: str, expected: str, received: str
) -> None:
    answer = await api.get(f"/api/v1/dags?{query}")
    assert (answer.status, answer.json["error"]) == (400, "Invalid query parameters")
    assert answer.json["validation_errors"] == [
        {
            "code": "invalid_type",
            "expected": expected,
            "received": received,
            "path": ["limit"],
            "message": f"Expected {expected}, received {received}",
        }
    ]


async def test_an_empty_limit_is_0_and_too_small(api: Api) -> None:
    (issue,) = (await api.get("/api/v1/dags?limit=")).json["validation_errors"]
    assert (issue["code"], issue["minimum"]) == ("too_small", 1)


@pytest.mark.parametrize(
    ("objective", "status"),
    [
        ("\U0001f600" * 9, 400),
        ("\U0001f600" * 10, 201),
        ("\U0001f600" * 20, 201),
        ("\U0001f600" * 21, 400),
        ("x" * 21, 400),
    ],
)
async def test_a_length_is_counted_in_characters_as_the_document_says(
    start_gateway: StartGateway, objective: str, status: int
) -> None:
    api = await start_gateway(max_message_length=20)
    assert (await api.post("/api/v1/goals", {"objective": objective})).status == status
    documented = described()["components"]["schemas"]["GoalCreate"]["properties"]["objective"]
    assert documented["minLength"] == 10
