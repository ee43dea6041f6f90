"""Requests made up from the OpenAPI document, against a live gateway: what comes back is what it says.

Once to a gateway that everybody may use, and once by all kinds of visitors to one that asks for keys.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import sampled_from
from requests import Session
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
)

from contracts.core.scopes import Scope, granted
from contracts.domain import goal, run
from contracts.domain.goal import GOAL
from contracts.domain.key import key_id
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from contracts.llm import LlmSettings
from gateway.app import ENDPOINTS
from gateway.documents.openapi import template
from gateway.endpoint import Endpoint, Raw
from tests import jobs
from tests.described import described
from tests.services.gateway.access.conftest import Guarded
from tests.services.gateway.shared import add_one_of_everything
from tests.services.gateway.test_asks import waits

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

NOBODY = "http://127.0.0.1:9"
"""A model that does not answer."""
LLM = LlmSettings(_env_file=None, llm_provider="ollama", llm_model="m", ollama_base_url=NOBODY, llm_retries=0)
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
DOCUMENT = schemathesis.openapi.from_dict(deepcopy(described()))
DOCUMENT.config.generation.update(with_security_parameters=False)  # the tests send keys of their own
REJECTIONS = DOCUMENT.config.checks.negative_data_rejection
REJECTIONS.expected_statuses = [*REJECTIONS.expected_statuses, "431"]
STREAMS = "text/event-stream"
THERE = {
    "agents": "a1",
    "asks": run.ask_id("waiting", "001", 1),
    "dag": "d1",
    "dag-executions": "e1",
    "dags": "d1",
    "goals": "g1",
    "keys": key_id("spare"),
    "runs": "r1",
    "schedules": "s1",
}
"""What there is at the beginning, by the first word of its path."""
NAMES = {"execution_id": "e1", "goal": "g1", "schedule_id": "s1", "name": "noop"}
"""What variables of paths stand for that are not called id."""
BODIES = {"agentName": "Planner", "taskName": "Planner", "dagId": "d1", "agentId": "a1"}
"""Keys of bodies that name something, and what they could name."""

PER_ENDPOINT = 2
GATEWAYS = 2
DEPTH = max(1, -(-int(os.environ.get("FUZZ_REQUESTS", "0")) // (PER_ENDPOINT * len(ENDPOINTS) * GATEWAYS)))
"""How many times more requests are sent than usual; `make fuzz` sets it. Then they differ each time."""

JOB = jobs.job(validation={"coverage": "high"})


def is_stream(endpoint: Endpoint) -> bool:
    """Whether it answers without end."""
    return any(isinstance(one, Raw) and one.media_type == STREAMS for one in endpoint.responses.values())


@dataclass(frozen=True)
class Visitor:
    """Somebody who sends requests, and what they may do. None: they are not let in."""

    name: str
    headers: Mapping[str, str]
    scopes: frozenset[Scope] | None

    def may(self, scope: Scope | None) -> bool:
        """Whether an endpoint lets them in. It refuses a useless key also where none is needed."""
        if self.scopes is None:
            return scope is None and not self.headers
        return scope is None or scope in self.scopes


async def filled(api: Api) -> Api:
    """The gateway with one of everything. No planner answers, and no model."""
    await add_one_of_everything(api)
    daily = goal.ScheduleAdded(schedule_id="s1", schedule=Schedule(cron="@daily"))
    await api.write(GOAL, "g1", daily)
    await api.write(RUN, "r1", run.GoalRequested(goal_id="g1", objective="reach it", step_budget=3))
    await waits(api, "waiting")
    return api


@pytest.fixture
async def open_to_all(start_gateway: StartGateway) -> tuple[Api, list[Visitor]]:
    """A gateway without keys."""
    api = await filled(await start_gateway(llm=LLM, planning_wait_s=0.01))
    return api, [Visitor("everybody", {}, frozenset(Scope))]


@pytest.fixture
async def asking_for_keys(start_gateway: StartGateway) -> tuple[Api, list[Visitor]]:
    """A gateway with keys, and visitors with a key of each scope, with a useless one, and without."""
    guarded = Guarded(await start_gateway(llm=LLM, planning_wait_s=0.01, auth="keys"))
    api = await filled(guarded.api)
    await guarded.key("spare", Scope.READ)
    return api, [
        *[Visitor(scope, await guarded.key(f"of-{scope}", scope), granted((scope,))) for scope in Scope],
        Visitor("revoked", await guarded.revoked("gone"), None),
        Visitor("wrong", guarded.header("of-admin", secret="6" * 64), None),
        Visitor("nobody", {}, None),
    ]


def acquainted(case: Any) -> Any:
    """The same request, about something that is there."""
    (word,) = re.findall(r"^/(?:api/v1/)?([\w-]+)", case.path)
    for name in case.path_parameters or {}:
        case.path_parameters[name] = NAMES.get(name, THERE.get(word, "x"))
    if isinstance(case.body, dict):
        case.body.update({key: value for key, value in BODIES.items() if key in case.body})
    return case


def check_admission(response: Any, visitor: Visitor, scope: Scope | None) -> bool:
    """Whoever may not is refused, and whoever may is not. Returns whether the visitor may.

    A made-up path may be that of no endpoint. Then whoever may read is told so.
    """
    status = response.status_code
    if visitor.may(scope):
        is_file = status == 403 and response.json() == {"error": "Access denied"}
        assert is_file or status not in {401, 403}, f"{visitor.name} is refused: {response.text}"
        return True
    allowed = {401} if visitor.scopes is None else {403, 404, 405}
    assert status in allowed, f"{visitor.name} is answered {status}: {response.text}"
    return False


def check_no_surprise(response: Any, case: Any) -> None:
    """Nothing fails but for want of something that is away."""
    is_away = response.status_code == 503 or '"error":"Task execution failed"' in response.text
    assert response.status_code < 500 or is_away, f"{case}: {response.text}"


def can_be_wrong(operation: Any) -> bool:
    """Whether it takes more than texts, which are never wrong."""
    queries = (
        one["schema"] for one in operation.definition.raw.get("parameters", ()) if one["in"] == "query"
    )
    return "requestBody" in operation.definition.raw or any(one != {"type": "string"} for one in queries)


def is_read_as_wrong(case: Any) -> bool:
    """The document says integer, and an empty text in a query is read as JavaScript reads it: as 0."""
    return all(str(value).strip() for value in (case.query or {}).values())


def ask(
    endpoint: Endpoint, url: str, session: Session, visitors: Sequence[Visitor], answered: Counter[int]
) -> None:
    """Requests, the same ones each time; fails when one is answered wrongly."""
    operation = DOCUMENT[template(endpoint.path)][endpoint.method]
    right = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
    wrong = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
    cases = right | right.map(acquainted) | right.map(acquainted)
    if can_be_wrong(operation):
        cases |= wrong.filter(is_read_as_wrong)

    @settings(
        max_examples=PER_ENDPOINT * DEPTH,
        phases=[Phase.generate],
        derandomize=DEPTH == 1,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, visitor=sampled_from(visitors))
    def once(case: Any, visitor: Visitor) -> None:
        response = case.call(base_url=url, session=session, headers=visitor.headers)
        answered[response.status_code] += 1
        check_no_surprise(response, case)
        is_served = check_admission(response, visitor, endpoint.scope)
        case.validate_response(response, checks=CHECKS if is_served else CHECKS[:-1])

    once()


async def everything(api: Api, visitors: Sequence[Visitor]) -> set[int]:
    """Ask every endpoint that ends its answers. Returns the statuses of the answers."""
    endpoints = [one for one in ENDPOINTS if not is_stream(one)]
    answered: Counter[int] = Counter()
    failures = []
    with Session() as session:
        session.trust_env = False
        for endpoint in sorted(endpoints, key=lambda one: one.method == "DELETE"):
            try:
                await asyncio.to_thread(ask, endpoint, str(api.url), session, visitors, answered)
            except Exception as error:
                error.add_note(f"{endpoint.method} {endpoint.path}")
                failures.append(error)
    if failures:
        raise ExceptionGroup("the document is not true", failures)
    return set(answered)


@pytest.mark.timeout(300 * DEPTH)
async def test_every_answer_to_a_random_request_is_documented(
    open_to_all: tuple[Api, list[Visitor]],
) -> None:
    answered = await everything(*open_to_all)
    assert {200, 201, 204, 400, 404, 409} <= answered
    assert 422 in answered or DEPTH > 1  # few requests are answered so, and random ones may miss them


@pytest.mark.timeout(300 * DEPTH)
async def test_no_key_gets_more_than_its_scopes_allow(
    asking_for_keys: tuple[Api, list[Visitor]],
) -> None:
    assert {200, 400, 401, 403, 404} <= await everything(*asking_for_keys)
