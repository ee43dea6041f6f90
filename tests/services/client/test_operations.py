"""What the API offers and what the client can ask for are the same, operation by operation."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from contracts.api.agents import AgentCreate, AgentPatch
from contracts.api.asks import AskAnswer
from contracts.api.budgets import BudgetChange
from contracts.api.dags import DagPatch
from contracts.api.forks import ForkRun, StepFork
from contracts.api.goals import GoalCreate, GoalPatch
from contracts.api.keys import KeyCreate, KeyPatch, KeyRotate
from contracts.api.limits import OwnLimits
from contracts.api.schedules import ScheduleCreate, SchedulePatch
from contracts.api.search import SearchPosition
from contracts.client import Client, Refused
from contracts.core.event import Json
from contracts.core.scopes import Scope
from contracts.domain.budget import Budget

if TYPE_CHECKING:
    from tests.services.conftest import StartGateway

Ask = Callable[[Client], Awaitable[Any]]

OBJECTIVE = "Keep the farm's books in order"
GOAL = GoalCreate(objective=OBJECTIVE)
AGENT = AgentCreate(name="Poet", version="1", promptTemplate="Rhyme.")
DAILY = ScheduleCreate(cronExpr="@daily")
PAGE: dict[str, Any] = {"limit": 1, "offset": 1}
SEARCHED: dict[str, Any] = {**PAGE, "cursor": "x", "text": "farm", "since": "7d", "until": "1d"}
USED: dict[str, Any] = {**SEARCHED, "tool": "readFile", "min_cost_usd": "1"}
CURSOR = SearchPosition(1, 0).text


async def first(events: AsyncGenerator[Any]) -> Any:
    """What a stream begins with."""
    async with aclosing(events):
        return await anext(events)


LIMITS = OwnLimits(approvals=["sendEmail"], outwardCalls="ask", budget=Budget(steps=5))
TURN_2 = ForkRun.model_validate({"from": 2})
CORRECTED = {"001": StepFork(params={"path": "a"})}
ANSWER = AskAnswer(verdict="answer", value=1, params={"to": "b"}, comment="yes")

METHODS: Mapping[str, Ask] = {
    "get_health": lambda client: client.alive(),
    "get_readiness": lambda client: client.ready(),
    "create_goal": lambda client: client.goals.create(GOAL, key="k"),
    "list_goals": lambda client: client.goals.find(status="active", agent="A", **USED),
    "get_goal": lambda client: client.goals.get("x"),
    "update_goal": lambda client: client.goals.update("x", GoalPatch(status="paused")),
    "delete_goal": lambda client: client.goals.delete("x"),
    "run_goal": lambda client: client.goals.run("x", limits=LIMITS, when_busy="refuse", key="k"),
    "pause_goal": lambda client: client.goals.pause("x"),
    "resume_goal": lambda client: client.goals.resume("x"),
    "list_memories": lambda client: client.goals.memories("x", **PAGE, cursor="x"),
    "list_schedules": lambda client: client.schedules.find("x"),
    "add_schedule": lambda client: client.schedules.create("x", DAILY, key="k"),
    "update_schedule": lambda client: client.schedules.update("x", "y", SchedulePatch(paused=True)),
    "remove_schedule": lambda client: client.schedules.delete("x", "y"),
    "list_ticks": lambda client: client.schedules.ticks("x", **PAGE, cursor="x"),
    "list_next_ticks": lambda client: client.schedules.next("x", count=1),
    "list_runs": lambda client: client.runs.find(
        goal_id="x", forked_from="y", status="failed", agent="A", **USED
    ),
    "get_run": lambda client: client.runs.get("x"),
    "delete_run": lambda client: client.runs.delete("x"),
    "list_steps": lambda client: client.runs.steps("x"),
    "list_outputs": lambda client: client.runs.outputs("x"),
    "cancel_run": lambda client: client.runs.cancel("x", "no need"),
    "watch_run": lambda client: first(client.runs.events("x", after=0)),
    "create_agent": lambda client: client.agents.create(AGENT, key="k"),
    "list_agents": lambda client: client.agents.find(name="Poet", active=True),
    "resolve_agent": lambda client: client.agents.resolve("Poet"),
    "get_agent": lambda client: client.agents.get("x"),
    "update_agent": lambda client: client.agents.update("x", AgentPatch(model="small")),
    "delete_agent": lambda client: client.agents.delete("x"),
    "activate_agent": lambda client: client.agents.activate("x"),
    "list_asks": lambda client: client.asks.find(status="open", run_id="x", limit=5, cursor=""),
    "get_ask": lambda client: client.asks.get("run_1.1.1"),
    "answer_ask": lambda client: client.asks.answer("run_1.1.1", ANSWER),
    "create_key": lambda client: client.keys.create(KeyCreate(name="ci", scopes=[Scope.RUN])),
    "list_keys": lambda client: client.keys.find(),
    "get_key": lambda client: client.keys.get("x"),
    "update_key": lambda client: client.keys.update("x", KeyPatch(budgetUsdPerDay="5")),
    "rotate_key": lambda client: client.keys.rotate("x", KeyRotate(overlapS=60)),
    "revoke_key": lambda client: client.keys.revoke("x"),
    "list_tools": lambda client: client.tools.find(),
    "get_tool": lambda client: client.tools.get("writeFile"),
    "list_artifacts": lambda client: client.artifacts.find(recursive=True),
    "get_artifact": lambda client: client.artifacts.get("a/b.md"),
    "create_dag": lambda client: client.dags.create(OBJECTIVE, key="k"),
    "create_and_execute_dag": lambda client: client.dags.create_and_execute(OBJECTIVE, key="k"),
    "clarify_dag": lambda client: client.dags.clarify("x", "in euros"),
    "run_experiments": lambda client: client.experiments.run(
        OBJECTIVE, provider="ollama", models=["m"], temperatures=[0], key="k"
    ),
    "execute_dag": lambda client: client.dags.execute("x", limits=LIMITS, key="k"),
    "fork_run": lambda client: client.runs.fork("x", TURN_2, key="k"),
    "fork_execution": lambda client: client.executions.fork("x", ForkRun(steps=CORRECTED), key="k"),
    "list_attempts_of_run": lambda client: client.runs.attempts("x", "3.0"),
    "list_attempts_of_execution": lambda client: client.executions.attempts("x", "001"),
    "get_prompt_of_run": lambda client: client.runs.prompt("x", "3", attempt=2),
    "get_prompt_of_execution": lambda client: client.executions.prompt("x", "001", attempt=2),
    "get_run_summary": lambda client: client.runs.counts(since="7d", until="1d", by="hour"),
    "compare_runs": lambda client: client.compare("x", "y"),
    "resume_run": lambda client: client.runs.resume("x"),
    "resume_dag": lambda client: client.executions.resume("x", key="k"),
    "get_run_budget": lambda client: client.runs.budget("x"),
    "set_run_budget": lambda client: client.runs.set_budget("x", BudgetChange(tokens=5)),
    "get_execution_budget": lambda client: client.executions.budget("x"),
    "set_execution_budget": lambda client: client.executions.set_budget("x", BudgetChange(tokens=5)),
    "cancel_execution": lambda client: client.executions.cancel("x"),
    "list_dags": lambda client: client.dags.find(status="success", agent="A", **USED),
    "list_scheduled_dags": lambda client: client.dags.scheduled(),
    "get_dag": lambda client: client.dags.get("x"),
    "update_dag": lambda client: client.dags.update("x", DagPatch(dagTitle="Notes")),
    "delete_dag": lambda client: client.dags.delete("x"),
    "list_executions_of_dag": lambda client: client.dags.executions(
        "x", forked_from="y", status="failed", agent="A", **USED
    ),
    "list_executions": lambda client: client.executions.find(
        forked_from="y", status="failed", agent="A", **USED
    ),
    "get_execution": lambda client: client.executions.get("x"),
    "delete_execution": lambda client: client.executions.delete("x"),
    "list_sub_steps": lambda client: client.executions.steps("x"),
    "watch_execution": lambda client: first(client.executions.events("x", after=0)),
    "get_execution_costs": lambda client: client.executions.costs("x"),
    "get_dag_costs": lambda client: client.dags.costs("x"),
    "get_cost_summary": lambda client: client.costs(since="7d", until="1d", by="week"),
    "search_texts": lambda client: client.search("farm", kinds=("goal",), limit=1, cursor=CURSOR),
    "get_budget": lambda client: client.budget.get(),
    "perform_task": lambda client: client.tasks.run("Poet", "Rhyme on farm."),
    "watch_log": lambda client: first(
        client.events(
            aggregates=("run",),
            aggregate_id="x",
            types=("run.failed",),
            actor="key:ci",
            after=0,
            follow=False,
        )
    ),
    "get_openapi": lambda client: client.documents.openapi(),
    "get_asyncapi": lambda client: client.documents.asyncapi(),
    "get_reference": lambda client: client.documents.reference(),
    "get_event_schema": lambda client: client.documents.event_schema("run.failed", 1),
}
"""By operation, a method that asks for it, with everything that can be asked."""

OLDER = {"run_dag": "execute_dag", "delete_dag_by_older_path": "delete_dag"}
"""Operations that are kept for older clients, and the one that does the same."""

NOT_SENT = {
    ("list_tools", "name"): "tools.get asks for one tool by its own path",
    ("watch_log", "after"): "sent as Last-Event-ID, as after each break",
}
"""Parameters that the client does without, and why."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the document."""

    id: str
    method: str
    path: str
    parameters: Mapping[str, frozenset[str]]
    """Names by where they are sent."""
    media_type: str | None

    def differences(self, asked: web.Request) -> list[str]:
        """Where a request is not one for this operation, or leaves out what it could say."""
        pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(self.path))
        offered = {place: names - self._not_sent for place, names in self.parameters.items()}
        query = frozenset(asked.query)
        headers = {name for name in offered["header"] if name not in asked.headers}
        is_form = self.media_type == "multipart/form-data"
        return [
            difference
            for differs, difference in (
                (asked.method != self.method, f"is sent as {asked.method}"),
                (not re.fullmatch(pattern, asked.raw_path.partition("?")[0]), f"goes to {asked.raw_path}"),
                (query != offered["query"], f"query differs in {sorted(query ^ offered['query'])}"),
                (bool(headers), f"headers lack {sorted(headers)}"),
                (is_form != (asked.content_type == "multipart/form-data"), f"sends {asked.content_type}"),
            )
            if differs
        ]

    @property
    def _not_sent(self) -> frozenset[str]:
        return frozenset(name for operation, name in NOT_SENT if operation == self.id)


def operations(document: Json) -> Iterator[Operation]:
    """All of a document."""
    for path, methods in document["paths"].items():
        for method, one in methods.items():
            parameters = one.get("parameters", [])
            yield Operation(
                id=one["operationId"],
                method=method.upper(),
                path=path,
                parameters={
                    place: frozenset(each["name"] for each in parameters if each["in"] == place)
                    for place in ("query", "header")
                },
                media_type=next(iter(one.get("requestBody", {}).get("content", {})), None),
            )


@pytest.fixture
async def offered(start_gateway: StartGateway) -> dict[str, Operation]:
    """The operations of a real gateway, by their ids."""
    api = await start_gateway(projector=False)
    async with Client(str(api.url)) as client:
        document = await client.documents.openapi()
    return {operation.id: operation for operation in operations(document)}


@pytest.fixture
async def heard() -> AsyncGenerator[tuple[Client, list[web.Request]]]:
    """A client of a server that refuses everything, and what it has been asked."""
    asked: list[web.Request] = []

    async def refuse(request: web.Request) -> web.Response:
        asked.append(request)
        return web.json_response({"error": "I am a teapot"}, status=418)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", refuse)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with Client(f"http://127.0.0.1:{runner.addresses[0][1]}", patience_s=0) as client:
        yield client, asked
    await runner.cleanup()


def test_each_operation_has_a_method_and_each_method_an_operation(offered: dict[str, Operation]) -> None:
    assert set(METHODS) | set(OLDER) == set(offered)
    assert not set(METHODS) & set(OLDER)
    assert set(OLDER.values()) <= set(METHODS)


async def test_each_method_asks_for_its_operation_with_all_that_can_be_said(
    offered: dict[str, Operation], heard: tuple[Client, list[web.Request]]
) -> None:
    client, asked = heard
    wrong = {}
    for name, ask in METHODS.items():
        asked.clear()
        with pytest.raises(Refused, match="teapot"):
            await ask(client)
        (request,) = asked
        if differences := offered[name].differences(request):
            wrong[name] = differences
    assert wrong == {}


def test_each_parameter_that_no_method_sends_exists(offered: dict[str, Operation]) -> None:
    for operation, name in NOT_SENT:
        assert name in offered[operation].parameters["query"]
