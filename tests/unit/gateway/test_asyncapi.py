"""The AsyncAPI document: valid, and true of what is on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from contracts.core.aggregate import Aggregate
from contracts.core.commit import Commit
from contracts.core.event import BlobRef, Event, Usage
from contracts.core.subjects import commit_subject
from contracts.domain import agent, dag, goal, run
from contracts.domain.registry import AGGREGATES, CODEC
from contracts.runtime.blobs import MemoryBlobs
from contracts.runtime.log import OFFLOAD_BYTES
from contracts.runtime.wire import Format
from gateway.documents.asyncapi import ABSENT, KINDS, asyncapi
from tests import jobs
from tests.unit.documents import references

META = json.loads((Path(__file__).parents[2] / "schemas" / "asyncapi-3.0.0.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
JOB = jobs.job(jobs.task(params={"text": "x" * OFFLOAD_BYTES}))

DECISIONS: list[tuple[Aggregate[Any], tuple[Event, ...]]] = [
    (agent.AGENT, (agent.Created(name="A", version_name="1", prompt_template="p", metadata={"a": 1}),)),
    (dag.DAG, (dag.Requested(goal_text="g", agent_name="A"),)),
    (dag.DAG, (dag.AttemptMade(attempt=1, reason="initial", usage=Usage()), dag.Planned(job=JOB, title="T"))),
    (goal.GOAL, (goal.Created(objective="o", params=goal.Params(step_budget=3)),)),
    (run.RUN, (run.Requested(dag_id="d", original_request="o", job=JOB),)),
    (run.RUN, (run.StepFailed(step="001", attempt=1, error="no", retry_at=NOW), run.Suspended(reason="no"))),
    (run.RUN, (run.StepCompleted(step="001", result=BlobRef(blob="0" * 64, size=1).as_json()),)),
]


@pytest.fixture(scope="module")
def document() -> Any:
    return asyncapi("nats://user:passw0rd@nats-1:4222,nats-2")


def test_it_is_valid(document: Any) -> None:
    problems = [f"{one.json_path}: {one.message}" for one in Draft7Validator(META).iter_errors(document)]
    assert not problems


def test_everything_that_is_referred_to_is_there(document: Any) -> None:
    for reference in set(references(document)):
        node = document
        for key in reference.removeprefix("#/").split("/"):
            node = node[key]
        assert node


def test_every_schema_is_one(document: Any) -> None:
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
        Draft7Validator.check_schema(schema)


def test_every_server_names_how_to_sign_in(document: Any) -> None:
    schemes = [scheme for server in document["servers"].values() for scheme in server["security"]]
    assert schemes == [{"$ref": "#/components/securitySchemes/user"}] * 2
    assert document["components"]["securitySchemes"]["user"]["type"] == "userPassword"


def test_it_has_every_aggregate_and_all_its_events(document: Any) -> None:
    for aggregate in AGGREGATES:
        channel = document["channels"][aggregate.name]
        assert channel["address"] == f"evt.{aggregate.name}.{{id}}.{{state}}"
        options = document["components"]["messages"][aggregate.name]["payload"]["items"]["oneOf"]
        named = [option["$ref"].rpartition("/")[2] for option in options]
        assert named == [f"{event.type}.event" for event in aggregate.events]


@pytest.mark.parametrize("aggregate", AGGREGATES, ids=lambda one: one.name)
def test_the_states_of_every_aggregate_are_known(aggregate: Aggregate[Any]) -> None:
    assert aggregate.status(aggregate.initial) == ABSENT
    assert set(KINDS) == {one.name for one in AGGREGATES}
    assert all(commit_subject(aggregate.name, "id", state) for state in KINDS[aggregate.name].states)


def test_it_tells_where_nats_is_and_no_password(document: Any) -> None:
    assert [server["host"] for server in document["servers"].values()] == ["nats-1:4222", "nats-2:4222"]
    assert "passw0rd" not in json.dumps(document)


@pytest.mark.parametrize(("aggregate", "events"), DECISIONS, ids=lambda one: getattr(one, "name", ""))
async def test_written_messages_fit_the_document(
    document: Any, aggregate: Aggregate[Any], events: tuple[Event, ...]
) -> None:
    """Large values kept elsewhere included; of each event exactly one schema is true."""
    state = aggregate.status(aggregate.fold(events))
    commit = Commit("c1", aggregate.name, "id", state, 1, NOW, "/test/1", events, "correlation", "cause")
    wire = await Format(CODEC, MemoryBlobs()).encode(commit, after=0)
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry: Registry[Any] = Registry().with_resource("urn:asyncapi", resource)
    message = document["components"]["messages"][aggregate.name]
    for schema, value in ((message["payload"], json.loads(wire.payload)), (message["headers"], wire.headers)):
        found = _absolute(schema)
        problems = list(Draft202012Validator(found, registry=registry).iter_errors(value))
        assert not problems


def _absolute(node: Any) -> Any:
    match node:
        case {"$ref": str(reference)}:
            return {"$ref": f"urn:asyncapi{reference}"}
        case dict():
            return {key: _absolute(value) for key, value in node.items()}
        case list():
            return [_absolute(item) for item in node]
        case _:
            return node
