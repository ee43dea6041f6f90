"""`Idempotency-Key`: what is sent again is not done again, whichever gateway it is sent to."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest

from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.runtime.key_value import MemoryKeyValue, NatsKeyValue, StoredValue
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.connection import Connection
from gateway.http import idempotency
from tests import jobs
from tests.services.gateway.shared import LLM, add_agent

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

AGENTS = "/api/v1/agents"
NEW = {"name": "A", "version": "1", "promptTemplate": "x"}
GOAL = {"goal-text": "do it", "agentName": "Planner"}
KEY = {"Idempotency-Key": "8e03978e-40d5-43dd-bc93-6894a57f9324"}
JOB = jobs.job_json(validation={"coverage": "high"})


class Faulty(MemoryKeyValue):
    """Can be away for a while."""

    def __init__(self) -> None:
        super().__init__()
        self.writes_to_lose = 0
        self.writes = 0

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        self.writes += 1
        if self.writes_to_lose and self.writes > 1:
            self.writes_to_lose -= 1
            raise Unavailable("away")
        return await super().put(name, value, after=after)


class Slow(MemoryKeyValue):
    """Keeps no answer before it is let; claims are quick."""

    def __init__(self) -> None:
        super().__init__()
        self.let = asyncio.Event()

    async def put(self, name: str, value: bytes, *, after: int) -> int:
        if b'"answer":{' in value:
            await self.let.wait()
        return await super().put(name, value, after=after)


async def with_tool(api: Api) -> Any:
    api.gateway.catalogue.add(ToolSpec(name="noop", description="", parameters={}, effect=Effect.READ))
    return api


async def with_agent(api: Api) -> Any:
    await add_agent(api)
    return api


def same(first: Any, second: Any) -> bool:
    """The same answer, given again."""
    kept = all(first.headers.get(name) == second.headers.get(name) for name in ("content-type", "location"))
    return (first.status, first.body) == (second.status, second.body) and kept


# ── the same request ────────────────────────────────────────────────────────────────────────────────────


async def test_a_request_sent_again_gets_its_answer_again_and_is_not_done_again(api: Api) -> None:
    first = await api.post(AGENTS, NEW, headers=KEY)
    await api.patch(f"{AGENTS}/{first.json['id']}", {"promptTemplate": "changed since"})
    before = await api.log.last_seq()
    second = await api.post(AGENTS, NEW, headers=KEY)
    assert first.status == 201
    assert same(first, second)
    assert ("idempotency-replayed" in first.headers, second.headers["idempotency-replayed"]) == (
        False,
        "true",
    )
    assert await api.log.last_seq() == before


async def test_white_space_and_the_order_of_keys_make_no_other_request(api: Api) -> None:
    first = await api.call("POST", AGENTS, json=NEW, headers=KEY)
    raw = b'{ "promptTemplate": "x",\n "version": "1", "name": "A" }'
    second = await api.call("POST", AGENTS, data=raw, headers=KEY | {"Content-Type": "application/json"})
    assert same(first, second)


async def test_without_a_key_or_with_another_it_is_another_request(api: Api) -> None:
    await with_tool(api)
    body = {"job": JOB}
    answers = [await api.post("/api/v1/execute-dag", body, headers=headers) for headers in ({}, {}, KEY)]
    answers.append(await api.post("/api/v1/execute-dag", body, headers={"Idempotency-Key": "another"}))
    assert {answer.status for answer in answers} == {202}
    assert len({answer.json["executionId"] for answer in answers}) == 4


async def test_every_gateway_knows_what_another_has_answered(start_gateway: StartGateway) -> None:
    """Restarted ones too: nothing is kept in a process."""
    key_values = MemoryKeyValue()
    one = await start_gateway(key_values=key_values)
    first = await one.post(AGENTS, NEW, headers=KEY)
    two = await start_gateway(key_values=key_values, log=one.log, projector=False)
    second = await two.post(AGENTS, NEW, headers=KEY)
    assert same(first, second)


@pytest.mark.nats
async def test_stored_answers_are_kept_in_nats(start_gateway: StartGateway, connection: Connection) -> None:
    one = await start_gateway(key_values=NatsKeyValue(connection))
    first = await one.post(AGENTS, NEW, headers=KEY)
    two = await start_gateway(key_values=NatsKeyValue(connection), log=one.log, projector=False)
    assert same(first, await two.post(AGENTS, NEW, headers=KEY))
    assert (await two.post(AGENTS, NEW | {"version": "2"}, headers=KEY)).status == 422
    assert (await two.post(AGENTS, NEW, headers={"Idempotency-Key": "another"})).status == 409
    assert (
        await two.post(AGENTS, NEW | {"version": "2"}, headers={"Idempotency-Key": "another"})
    ).status == 201


async def test_a_plan_is_asked_for_once_whoever_waits_for_it(start_gateway: StartGateway) -> None:
    api = await with_agent(await start_gateway(llm=LLM))
    after = await api.log.last_seq()
    asking = [asyncio.create_task(api.post("/api/v1/create-dag", GOAL, headers=KEY)) for _ in range(3)]
    async with aclosing(api.log.tail("evt.dag.*.requested", after=after)) as batches:
        (requested,) = await anext(batches)
    dag_id = requested.commit.aggregate_id
    await api.write(DAG, dag_id, dag.Planned(job=Job.model_validate(JOB)))
    answers = [await one for one in asking]
    assert [(one.status, one.json) for one in answers] == [(200, {"status": "success", "dagId": dag_id})] * 3
    assert len(await api.log.read("dag", dag_id)) == 2
    late = await api.post("/api/v1/create-dag", GOAL, headers=KEY)
    assert same(answers[0], late)


async def test_a_repeated_request_is_answered_even_if_it_could_not_be_carried_out_any_more(
    start_gateway: StartGateway,
) -> None:
    """A gateway may die between the commit and the answer; agents, tools and plans may change since."""
    key_values = Faulty()
    api = await with_agent(await with_tool(await start_gateway(key_values=key_values, llm=LLM)))
    dag_id = (await api.post("/api/v1/execute-dag", {"job": JOB})).json["dagId"]
    asked: list[tuple[str, Any]] = [
        ("execute-dag", {"dagId": dag_id}),
        ("execute-dag", {"job": JOB}),
        ("goals", {"objective": "Compare the two", "agentName": "Planner"}),
        ("create-dag", GOAL),
        ("create-and-execute-dag", GOAL),
    ]
    headers = {"Prefer": "respond-async"}
    first = []
    for number, (path, body) in enumerate(asked):
        key_values.writes, key_values.writes_to_lose = 0, 1
        key = {"Idempotency-Key": str(number), **headers}
        first.append(await api.post(f"/api/v1/{path}", body, headers=key))
    await api.patch(f"/api/v1/dags/{dag_id}", {"result": {"is": "no plan"}})
    (planner,) = (await api.get("/api/v1/agents?name=Planner")).json
    await api.patch(f"/api/v1/agents/{planner['id']}", {"name": "Another"})
    api.gateway.catalogue.remove("noop")
    before = await api.log.last_seq()
    for number, (path, body) in enumerate(asked):
        again = await api.post(f"/api/v1/{path}", body, headers={"Idempotency-Key": str(number), **headers})
        assert (again.status, again.json) == (first[number].status, first[number].json), path
    assert {one.status for one in first} == {201, 202}
    assert await api.log.last_seq() == before


# ── another request ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("body", [NEW | {"version": "2"}, NEW | {"metadata": {"a": 1}}])
async def test_a_key_belongs_to_one_body(api: Api, body: Any) -> None:
    await api.post(AGENTS, NEW, headers=KEY)
    before = await api.log.last_seq()
    answer = await api.post(AGENTS, body, headers=KEY)
    assert answer.status == 422
    assert "send a new one" in answer.json["error"]
    assert await api.log.last_seq() == before


async def test_a_key_belongs_to_one_path(api: Api) -> None:
    await with_tool(api)
    dag_id = (await api.post("/api/v1/execute-dag", {"job": JOB})).json["dagId"]
    assert (await api.post("/api/v1/execute-dag", {"dagId": dag_id}, headers=KEY)).status == 202
    assert (await api.post("/api/v1/dag-run", {"dagId": dag_id}, headers=KEY)).status == 422


async def test_a_key_is_claimed_before_anything_is_done(start_gateway: StartGateway) -> None:
    """While the first request is still being answered, another one is refused."""
    key_values = Slow()
    api = await start_gateway(key_values=key_values)
    first = asyncio.create_task(api.post(AGENTS, NEW, headers=KEY))
    async with aclosing(api.log.tail("evt.agent.>")) as batches:
        await anext(batches)
    other = await api.post(AGENTS, NEW | {"version": "2"}, headers=KEY)
    key_values.let.set()
    assert (other.status, (await first).status) == (422, 201)


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ü"])
async def test_a_key_is_visible_ascii(api: Api, key: str) -> None:
    answer = await api.post(AGENTS, NEW, headers={"Idempotency-Key": key})
    assert answer.status == 400
    assert "Idempotency-Key must be" in answer.json["error"]
    assert await api.log.last_seq() == 0


# ── refusals and failures ───────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_frees_the_key(api: Api) -> None:
    """Nothing was done: what was wrong can be mended, there or in the request."""
    assert (await api.post(AGENTS, {}, headers=KEY)).status == 400
    await api.post(AGENTS, NEW)
    assert (await api.post(AGENTS, NEW, headers=KEY)).status == 409
    assert (await api.post(AGENTS, NEW | {"version": "2"}, headers=KEY)).status == 201


async def test_an_answer_that_says_no_is_kept_when_something_was_done_for_it(
    start_gateway: StartGateway,
) -> None:
    api = await with_agent(await start_gateway(llm=LLM))
    after = await api.log.last_seq()
    asking = asyncio.create_task(api.post("/api/v1/create-dag", GOAL, headers=KEY))
    async with aclosing(api.log.tail("evt.dag.*.requested", after=after)) as batches:
        (requested,) = await anext(batches)
    rejected = dag.Rejected(http_status=500, error="no plan")
    seq = await api.write(DAG, requested.commit.aggregate_id, rejected)
    first = await asking
    second = await api.post("/api/v1/create-dag", GOAL, headers=KEY)
    assert first.status == 500
    assert same(first, second)
    assert await api.log.last_seq() == seq


async def test_after_an_ack_was_lost_the_same_request_finds_what_it_has_done(api: Api) -> None:
    api.log.lose_acks()
    failed = await api.post(AGENTS, NEW, headers=KEY)
    assert failed.status == 503
    assert (await api.post(AGENTS, NEW | {"version": "2"}, headers=KEY)).status == 422
    again = await api.post(AGENTS, NEW, headers=KEY)
    assert (again.status, again.json["name"]) == (201, "A")
    assert await api.log.last_seq() == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/v1/execute-dag", {"job": JOB}), (AGENTS, NEW), ("/api/v1/create-dag", GOAL)],
)
async def test_a_request_that_a_killed_gateway_carried_out_is_not_carried_out_again(
    start_gateway: StartGateway, path: str, body: Any
) -> None:
    """It did all of it and died before it could keep the answer: the bucket has the claim alone."""
    key_values = MemoryKeyValue()
    one = await with_tool(
        await with_agent(await start_gateway(key_values=key_values, llm=LLM, planning_wait_s=0.01))
    )
    first = await one.post(path, body, headers=KEY)
    for name, stored in key_values._values.items():
        claim = idempotency._Entry.model_validate_json(stored.value).model_copy(update={"answer": None})
        key_values._values[name] = StoredValue(claim.model_dump_json().encode(), stored.revision)
    before = await one.log.last_seq()

    two = await start_gateway(
        key_values=key_values, log=one.log, llm=LLM, projector=False, planning_wait_s=0.01
    )
    second = await (await with_tool(two)).post(path, body, headers=KEY)

    assert first.status < 300
    assert same(first, second)
    assert await one.log.last_seq() == before


async def test_an_agent_that_another_client_created_meanwhile_is_a_conflict(api: Api) -> None:
    await api.post(AGENTS, NEW, headers=KEY)
    answer = await api.post(AGENTS, NEW, headers={"Idempotency-Key": "another"})
    assert answer.status == 409


async def test_an_answer_that_cannot_be_kept_is_given_all_the_same(start_gateway: StartGateway) -> None:
    key_values = Faulty()
    key_values.writes_to_lose = 1
    api = await start_gateway(key_values=key_values)
    first = await api.post(AGENTS, NEW, headers=KEY)
    second = await api.post(AGENTS, NEW, headers=KEY)
    assert (first.status, second.status) == (201, 201)
    assert first.json["id"] == second.json["id"]
    assert await api.log.last_seq() == 1


async def test_a_very_long_answer_is_not_stored(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idempotency, "LARGEST_BYTES", 10)
    first = await api.post(AGENTS, NEW, headers=KEY)
    second = await api.post(AGENTS, NEW, headers=KEY)
    assert same(first, second)
    assert "idempotency-replayed" not in second.headers
    assert await api.log.last_seq() == 1


async def test_a_created_aggregate_names_the_request_as_its_cause(api: Api) -> None:
    row = (await api.post(AGENTS, NEW, headers=KEY)).json
    (recorded,) = await api.log.read("agent", row["id"])
    assert (recorded.commit.causation_id or "").startswith("req_")


async def test_an_execution_of_a_plan_keeps_its_id(start_gateway: StartGateway) -> None:
    """Even before there is a plan: it is told at once which execution it will be."""
    api = await with_agent(await start_gateway(llm=LLM))
    headers = KEY | {"Prefer": "respond-async"}
    first = await api.post("/api/v1/create-and-execute-dag", GOAL, headers=headers)
    second = await api.post("/api/v1/create-and-execute-dag", GOAL, headers=headers)
    assert (first.status, first.json["status"]) == (202, "planning")
    assert first.json["executionId"].startswith("dag-exec_")
    assert same(first, second)
