"""What every route makes of input that is wrong: a clear refusal, and nothing written.

The tables are made from the endpoints themselves, so that no route can be forgotten.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from contracts.domain import agent, dag, run
from contracts.domain.agent import AGENT
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from gateway.app import ENDPOINTS
from gateway.documents.openapi import openapi, template
from gateway.documents.reference_schemas import sample
from gateway.endpoint import Endpoint
from tests import jobs
from tests.services.gateway.shared import LLM, add_one_of_everything

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

JSON = {"Content-Type": "application/json"}
DOCUMENT = openapi(ENDPOINTS)
DEFINITIONS = DOCUMENT["components"]["schemas"]
WITH_BODY = [one for one in ENDPOINTS if one.body]
WITH_ID = [one for one in ENDPOINTS if one.missing]
NOT_IDS = ("nobody", "%2A", "%3E", "a.b", "a%20b", "x" * 65, "%00", "%ED%A0%80", "..%2F..")
WRONG: dict[str, Any] = {
    "string": 1,
    "integer": "x",
    "number": "x",
    "boolean": "yes",
    "object": [],
    "array": {},
}
"""For each type a value of another."""
UNKNOWN = {"nobody knows": [1, {"this": None}]}
MIB = 1024 * 1024

JOB = jobs.job(validation={"coverage": "high"})


@pytest.fixture
async def api(start_gateway: StartGateway) -> Api:
    """A gateway with one of everything; nothing answers that it would have to wait for."""
    api = await start_gateway(llm=LLM, planning_wait_s=0.01)
    await add_one_of_everything(api)
    return api


def path_of(endpoint: Endpoint, value: str = "x") -> str:
    """Its path, with the same text for every variable."""
    path = template(endpoint.path)
    while "{" in path:
        path = path[: path.index("{")] + value + path[path.index("}") + 1 :]
    return path


def schema_of(endpoint: Endpoint) -> Any:
    """The JSON Schema of its body."""
    assert endpoint.body is not None
    return DEFINITIONS[endpoint.body.__name__]


def body_of(endpoint: Endpoint) -> Any:
    """A body that is as it must be."""
    return sample(schema_of(endpoint), DEFINITIONS) if endpoint.body else None


class Refusals:
    """Collects what was not refused as it should be."""

    def __init__(self, api: Api, before: int) -> None:
        self._api = api
        self._before = before
        self.wrong: list[str] = []

    async def expect(self, asking: Awaitable[Any], *statuses: int, about: str) -> Any:
        """One request, which must be answered so, with a text that says why."""
        answer = await asking
        seq = await self._api.log.last_seq()
        error = answer.json.get("error") if answer.body and answer.status >= 400 else None
        if answer.status not in statuses or not (isinstance(error, str) and error) or seq != self._before:
            self.wrong.append(f"{about}: {answer.status} {answer.body[:200]!r}, {seq - self._before} written")
            self._before = seq
        return answer


@pytest.fixture
async def refusals(api: Api) -> Any:
    refusals = Refusals(api, await api.log.last_seq())
    yield refusals
    assert not refusals.wrong, "\n".join(refusals.wrong)


def name_of(endpoint: Endpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"


# ── bodies ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("raw", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"nonsense", JSON, 400),
        (b'{"a": "\\ud800"}', JSON, 400),
        (b'{"a": "\\u0000"}', JSON, 400),
        (b"[" * 200 + b"]" * 200, JSON, 400),
        (b"null", JSON, 400),
        (b"[]", JSON, 400),
        (b'"text"', JSON, 400),
        (b"1", JSON, 400),
        (b"{}", {"Content-Type": "text/plain"}, 415),
        (b"a=1", {"Content-Type": "application/x-www-form-urlencoded"}, 415),
        (b" " * (MIB + 1), JSON, 413),
    ],
    ids=lambda one: repr(one)[:30],
)
async def test_a_body_that_is_no_json_object_is_refused_by_every_route(
    api: Api, refusals: Refusals, raw: bytes, headers: Any, status: int
) -> None:
    for endpoint in WITH_BODY:
        asking = api.call(endpoint.method, path_of(endpoint), data=io.BytesIO(raw), headers=headers)
        await refusals.expect(asking, status, 404 if endpoint.missing else status, about=name_of(endpoint))


async def test_what_must_be_there_is_named_when_it_is_missing(api: Api, refusals: Refusals) -> None:
    for endpoint in WITH_BODY:
        for key in schema_of(endpoint).get("required", ()):
            body = {name: value for name, value in body_of(endpoint).items() if name != key}
            about = f"{name_of(endpoint)} without {key}"
            answer = await refusals.expect(
                api.call(endpoint.method, path_of(endpoint, "d1"), json=body), 400, about=about
            )
            assert [key] in [issue["path"] for issue in answer.json["validation_errors"]], about


def wrongly_typed(schema: Any) -> Iterator[tuple[str, Any]]:
    """Each key that has a type of its own, with a value of another."""
    for key, field in schema.get("properties", {}).items():
        kinds = [one.get("type") for one in field.get("anyOf", [field])]
        if all(kind in {*WRONG, "null"} for kind in kinds):
            yield key, WRONG[kinds[0]]
            if "null" not in kinds:
                yield key, None


async def test_a_value_of_another_type_is_refused_and_named(api: Api, refusals: Refusals) -> None:
    """Nothing is taken for something else: no text for a number, and no null for nothing."""
    for endpoint in WITH_BODY:
        for key, value in wrongly_typed(schema_of(endpoint)):
            body = {**body_of(endpoint), key: value}
            about = f"{name_of(endpoint)} with {key} {value!r}"
            answer = await refusals.expect(
                api.call(endpoint.method, path_of(endpoint, "d1"), json=body), 400, about=about
            )
            assert [key] in [issue["path"] for issue in answer.json["validation_errors"]], about


async def test_an_empty_body_is_an_empty_object_to_every_route(api: Api) -> None:
    """With and without a content type, where a body is wanted and where it is not."""
    for endpoint in ENDPOINTS:
        if endpoint.method == "GET" or endpoint.form:
            continue
        path = path_of(endpoint, "nobody")
        empty = await api.call(endpoint.method, path, json={})
        for headers in (JSON, {}):
            answer = await api.call(endpoint.method, path, data=b"", headers=headers)
            assert (answer.status, answer.body) == (empty.status, empty.body), name_of(endpoint)


async def test_a_key_that_nobody_knows_is_refused_and_named(api: Api) -> None:
    for endpoint in WITH_BODY:
        answer = await api.call(endpoint.method, path_of(endpoint, "nobody"), json=UNKNOWN)
        assert answer.status == 400, name_of(endpoint)
        found = [one for one in answer.json["validation_errors"] if one["code"] == "unrecognized_keys"]
        assert [(one["keys"], one["path"]) for one in found] == [(["nobody knows"], [])], name_of(endpoint)


@pytest.mark.parametrize(
    ("method", "path", "body", "where", "hint"),
    [
        ("POST", "goals", {"params": {"budget": 5}}, ["params"], "did you mean 'stepBudget'?"),
        ("POST", "goals", {"schedule": {"cron": "@daily"}}, ["schedule"], "did you mean 'cronExpr'?"),
        ("PATCH", "agents/a1", {"prompt": "p"}, [], "did you mean 'promptTemplate'?"),
        ("POST", "create-dag", {"goalText": "g"}, [], "did you mean 'goal-text'?"),
        ("POST", "execute-dag", {"dagID": "d1"}, [], "did you mean 'dagId'?"),
        ("PATCH", "dags/d1", {"colour": "red"}, [], "known are overlap, catchUpSeconds"),
    ],
)
async def test_what_was_meant_is_suggested(
    api: Api, method: str, path: str, body: Any, where: list[str], hint: str
) -> None:
    before = await api.log.last_seq()
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    (issue,) = [one for one in answer.json["validation_errors"] if one["code"] == "unrecognized_keys"]
    assert issue["path"] == where
    assert hint in issue["message"]
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        (
            "PATCH",
            "goals/g1",
            {"agentName": "Planner", "agentId": "a1", "schedule": {"cronExpr": "@daily"}},
            200,
        ),
        ("PATCH", "agents/a1", {"active": False, "id": "x", "createdAt": "…", "updatedAt": "…"}, 200),
        ("POST", "agents", {"name": "N", "version": "1", "promptTemplate": "p", "active": True}, 201),
    ],
)
async def test_what_old_clients_send_besides_is_ignored(
    api: Api, method: str, path: str, body: Any, status: int
) -> None:
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    assert answer.status == status


async def test_a_tool_that_there_is_not_is_refused_for_a_goal(api: Api) -> None:
    goal = {"objective": "reach something", "params": {"allowedTools": ["noop", "noob", "webSearch"]}}
    before = await api.log.last_seq()
    for method, path in (("POST", "goals"), ("PATCH", "goals/g1")):
        answer = await api.call(method, f"/api/v1/{path}", json=goal)
        assert answer.status == 400
        assert [(one["path"], one["message"]) for one in answer.json["validation_errors"]] == [
            (["params", "allowedTools", 1], "there is no tool 'noob'; did you mean 'noop'?"),
            (["params", "allowedTools", 2], "there is no tool 'webSearch'; there are noop"),
        ]
    assert await api.log.last_seq() == before


@pytest.mark.parametrize(
    ("path", "hint"),
    [
        ("goals?status=actve", "'active' | 'paused' | 'archived', received 'actve'; did you mean 'active'?"),
        ("runs?status=runing", "did you mean 'running'?"),
        ("dag-executions?status=complete", "did you mean 'completed'?"),
        ("dags/d1/executions?status=fail", "did you mean 'failed'?"),
        ("costs/summary?groupBy=weak", "did you mean 'week'?"),
        ("events?type=run.complete", "did you mean 'run.completed'?"),
    ],
)
async def test_a_filter_that_matches_nothing_ever_is_refused(api: Api, path: str, hint: str) -> None:
    answer = await api.get(f"/api/v1/{path}")
    assert answer.status == 400
    (issue,) = answer.json["validation_errors"]
    assert hint in issue["message"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "goals", {"objective": "reach something", "agentName": "planer"}),
        ("POST", "create-dag", {"goal-text": "g", "agentName": "planer"}),
        ("GET", "tools/nop", None),
    ],
)
async def test_a_name_that_is_close_is_suggested(api: Api, method: str, path: str, body: Any) -> None:
    answer = await api.call(method, f"/api/v1/{path}", json=body)
    meant = "noop" if path == "tools/nop" else "Planner"
    assert answer.status in {400, 404}
    assert answer.json["error"].endswith(f"; did you mean '{meant}'?")


TOO_LONG = "x" * 700_000
LONG: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/api/v1/agents", {"name": TOO_LONG, "version": "1", "promptTemplate": "p"}),
    ("PATCH", "/api/v1/agents/a1", {"version": TOO_LONG}),
    ("POST", "/api/v1/create-dag", {"goal-text": "g", "agentName": "Planner", "model": TOO_LONG}),
    ("POST", "/api/v1/execute-dag", {"job": JOB.model_dump(mode="json"), "dagTitle": TOO_LONG}),
    ("PATCH", "/api/v1/dags/d1", {"dagTitle": TOO_LONG}),
    ("PATCH", "/api/v1/dags/d1", {"status": TOO_LONG}),
    ("POST", "/api/v1/dag-executions/e1/cancel", {"reason": TOO_LONG}),
    ("POST", "/api/v1/goals", {"objective": TOO_LONG}),
    ("PATCH", "/api/v1/goals/g1", {"objective": TOO_LONG}),
]


async def test_a_text_that_is_too_long_is_refused_whole(api: Api, refusals: Refusals) -> None:
    for method, path, body in LONG:
        (key,) = [key for key, value in body.items() if len(orjson.dumps(value)) > 600_000]
        await refusals.expect(api.call(method, path, json=body), 400, 413, about=f"{method} {path} {key}")


async def test_a_prompt_may_be_as_long_as_a_body(api: Api) -> None:
    made = await api.post("/api/v1/agents", {"name": "Long", "version": "1", "promptTemplate": TOO_LONG})
    assert made.status == 201
    url = f"/api/v1/agents/{made.json['id']}"
    assert (await api.get(url)).json["promptTemplate"] == TOO_LONG
    changed = await api.patch(url, {"promptTemplate": TOO_LONG + "y"})
    assert (changed.status, changed.json["promptTemplate"]) == (200, TOO_LONG + "y")


@pytest.mark.parametrize("path", ["/api/v1/create-dag", "/api/v1/create-and-execute-dag"])
async def test_a_goal_may_be_as_long_as_a_body(api: Api, path: str) -> None:
    answer = await api.post(path, {"goal-text": TOO_LONG, "agentName": "Planner"})
    assert answer.status == 202
    row = (await api.get(f"/api/v1/dags/{answer.json['dagId']}")).json
    assert row["params"]["goalText"] == TOO_LONG


async def test_an_answer_may_be_as_long_as_a_body(api: Api) -> None:
    asked = dag.ClarificationAsked(query="which?", job=JOB)
    await api.write(DAG, "d2", dag.Requested(goal_text="g", agent_name="Planner"), asked)
    assert (await api.post("/api/v1/dags/d2/clarify", {"answer": TOO_LONG})).status == 202


async def test_a_request_that_is_long_but_can_be_kept_is_executed_whole(api: Api) -> None:
    """However long it is in the words of the job: not a DAG without its execution."""
    long = JOB.model_dump(mode="json") | {"original_request": TOO_LONG}
    answer = await api.post("/api/v1/execute-dag", {"job": long})
    assert (answer.status, answer.json["originalRequest"]) == (202, TOO_LONG)
    execution = await api.get(f"/api/v1/dag-executions/{answer.json['executionId']}")
    assert execution.json["originalRequest"] == TOO_LONG


def job_of(needs: dict[str, list[str]], thought: str = "") -> dict[str, Any]:
    """A job of steps that do nothing: each step, the steps it needs."""
    job = JOB.model_dump(mode="json")
    (step,) = job["sub_tasks"]
    step |= {"description": "d", "thought": thought, "expected_output": ""}
    return job | {"sub_tasks": [step | {"id": id_, "dependencies": needed} for id_, needed in needs.items()]}


RING = {f"{n:03}": [f"{n - 1:03}"] for n in range(1, 500)} | {"000": ["499"]}


@pytest.mark.parametrize("wrapped", [True, False], ids=["job", "bare"])
@pytest.mark.parametrize(
    ("job", "status", "told"),
    [
        (job_of({f"{n}": [] for n in range(5000)}), 400, "5000 sub-tasks are too many: give at most 2000"),
        (job_of({f"{n}": [] for n in range(5000)}, "x" * 100), 413, "send at most 1 MiB"),
        (job_of({f"{n}": [f"{n - 1}"] for n in range(5000)}), 400, "5000 sub-tasks are too many"),
        (job_of({"a": ["a"]}), 400, "'a' cannot depend on itself"),
        (job_of({"a": ["b"], "b": ["a"]}), 400, "circle (a → b → a)"),
        (job_of(RING), 400, "circle"),
        (job_of({"a": [], "b": ["c", "a"], "c": ["b"]}), 400, "circle (b → c → b)"),
    ],
    ids=["5000 steps", "5000 long steps", "a chain of 5000", "itself", "two", "500", "two of three"],
)
async def test_a_job_too_large_or_going_in_circles_is_refused_whole(
    api: Api, refusals: Refusals, job: Any, status: int, told: str, wrapped: bool
) -> None:
    """It is answered at once, says what is wrong with the job, and no DAG and no execution is written."""
    written = await api.log.last_seq()
    body = io.BytesIO(orjson.dumps({"job": job} if wrapped else job))
    asking = api.call("POST", "/api/v1/execute-dag", data=body, headers=JSON)
    answer = await refusals.expect(asking, status, about="execute-dag")
    assert told in str(answer.json), answer.json
    assert await api.log.last_seq() == written


CREATE_DAG = {"goal-text": "g", "agentName": "Planner"}
SCHEDULES: list[tuple[str, str, Callable[[Any, Any], Any]]] = [
    ("POST", "/api/v1/create-dag", lambda cron, zone: CREATE_DAG | {"cronSchedule": cron, "timezone": zone}),
    (
        "POST",
        "/api/v1/create-and-execute-dag",
        lambda cron, zone: CREATE_DAG | {"cronSchedule": cron, "timezone": zone},
    ),
    ("PATCH", "/api/v1/dags/d1", lambda cron, zone: {"cronSchedule": cron, "timezone": zone}),
    (
        "POST",
        "/api/v1/goals",
        lambda cron, zone: {"objective": "reach it soon", "schedule": {"cronExpr": cron, "timezone": zone}},
    ),
    ("POST", "/api/v1/goals/g1/schedules", lambda cron, zone: {"cronExpr": cron, "timezone": zone}),
]


@pytest.mark.parametrize(
    ("cron", "zone", "error"),
    [
        ("nonsense", "UTC", "Invalid cron expression"),
        ("61 * * * *", "UTC", "Invalid cron expression"),
        ("* * * *", "UTC", "Invalid cron expression"),
        ("0 0 31 2 *", "UTC", "Invalid cron expression"),
        ("@sometimes", "UTC", "Invalid cron expression"),
        ("0 9 * * *", "Mars/Olympus", "Invalid timezone"),
        ("0 9 * * *", "../../etc/passwd", "Invalid timezone"),
        ("0 9 * * *", "", "Invalid timezone"),
    ],
)
async def test_a_schedule_that_is_none_is_refused_wherever_it_is_given(
    api: Api, refusals: Refusals, cron: str, zone: str, error: str
) -> None:
    for method, path, body in SCHEDULES:
        answer = await refusals.expect(
            api.call(method, path, json=body(cron, zone)), 400, about=f"{method} {path}"
        )
        assert answer.json["error"] == error, f"{method} {path}"


# ── paths and queries ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("value", NOT_IDS)
async def test_what_is_not_there_is_not_found_whatever_it_is_called(
    api: Api, refusals: Refusals, value: str
) -> None:
    for endpoint in WITH_ID:
        asking = api.call(endpoint.method, path_of(endpoint, value), json=body_of(endpoint))
        others = {400} if endpoint.body or value == "%00" else set(endpoint.errors) & {403}
        await refusals.expect(asking, 404, *others, about=name_of(endpoint))


def bad_queries(parameter: Any) -> Iterator[str]:
    """Values that the parameter must not have."""
    schema = parameter["schema"]
    if schema.get("type") == "integer":
        yield from ("x", "1.5", "null", "1_0", "9" * 30)
        yield from (str(schema[key] - 1) for key in ("minimum",) if key in schema)
        yield from (str(schema[key] + 1) for key in ("maximum",) if key in schema)
    if "enum" in schema:
        yield from ("nonsense", "")
    if schema.get("type") == "boolean":
        yield "perhaps"


async def test_a_query_out_of_range_is_refused(api: Api, refusals: Refusals) -> None:
    tried = 0
    for endpoint in ENDPOINTS:
        operation = DOCUMENT["paths"][template(endpoint.path)][endpoint.method.lower()]
        for parameter in operation.get("parameters", ()):
            for value in bad_queries(parameter) if parameter["in"] == "query" else ():
                query = f"{path_of(endpoint, 'd1')}?{parameter['name']}={value}"
                await refusals.expect(api.call(endpoint.method, query), 400, about=query)
                tried += 1
    assert tried > 50


@pytest.mark.parametrize(
    ("path", "key"), [("/api/v1/dags", "dags"), ("/api/v1/dag-executions", "executions")]
)
async def test_a_page_after_the_last_is_empty_and_tells_how_many_there_are(
    api: Api, path: str, key: str
) -> None:
    answer = await api.get(f"{path}?offset=1000&limit=100")
    assert answer.json[key] == []
    assert answer.json["pagination"] == {"limit": 100, "offset": 1000, "count": 0, "total": 1}


# ── twice at once ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "body", "won", "lost"),
    [
        ("POST", "/api/v1/agents", {"name": "B", "version": "1", "promptTemplate": "p"}, 201, {409}),
        ("DELETE", "/api/v1/agents/a2", None, 204, {404}),
        ("DELETE", "/api/v1/dags/d2", None, 200, {404}),
        ("DELETE", "/api/v1/dag-executions/e1", None, 200, {404}),
        ("DELETE", "/api/v1/goals/g1", None, 204, {404}),
        ("POST", "/api/v1/dags/d3/clarify", {"answer": "that"}, 202, {409}),
        ("POST", "/api/v1/resume-dag/e2", None, 202, {400}),
        ("POST", "/api/v1/dag-executions/e1/cancel", {}, 200, {200}),
        ("POST", "/api/v1/agents/a1/activate", None, 200, {200}),
        ("PATCH", "/api/v1/dags/d1", {"dagTitle": "New"}, 200, {200}),
    ],
)
async def test_what_is_asked_for_many_times_at_once_is_done_once(
    api: Api, method: str, path: str, body: Any, won: int, lost: set[int]
) -> None:
    """Whoever comes late is told how things are then."""
    await api.write(AGENT, "a2", agent.Created(name="Other", version_name="1", prompt_template="p"))
    await api.write(DAG, "d2", dag.Imported(job=JOB))
    asked = dag.ClarificationAsked(query="which?", job=JOB)
    await api.write(DAG, "d3", dag.Requested(goal_text="g", agent_name="Planner"), asked)
    wanted = run.Requested(dag_id="d1", original_request="o", job=JOB)
    await api.write(RUN, "e2", wanted, run.Suspended(reason="no"))
    answers = await asyncio.gather(*(api.call(method, path, json=body) for _ in range(8)))
    statuses = sorted(answer.status for answer in answers)
    assert won in statuses
    assert set(statuses) <= {won, *lost}
    if won not in lost:
        assert statuses.count(won) == 1
