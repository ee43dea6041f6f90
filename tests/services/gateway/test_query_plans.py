"""No query of the gateway reads or sorts a whole table."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import product
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import event

from contracts.api.paging import Cursor
from contracts.core.event import Json
from contracts.core.tool import Effect, ToolSpec
from contracts.domain import dag, goal, run
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from contracts.domain.schedule.schedule import Schedule
from gateway.app import ENDPOINTS
from gateway.views import filtering
from gateway.views.filtering import SLOW
from tests import jobs
from tests.services.gateway.runs.runs import STARTED, completed, done, executed, planned, wanted
from tests.services.gateway.shared import LLM, add_agent, add_default_agents

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

SMALL = ("SCAN agents", "SCAN checkpoint", "SCAN goal_schedules", "SCAN totals")
"""Tables that do not grow with the work done."""
PARTIAL = re.compile(r"USING (COVERING )?INDEX (runs_unended|dags_scheduled)$")
"""Indexes that have only the few rows that are asked for."""
FULL_TEXT = re.compile(r"VIRTUAL TABLE INDEX \d+:\S*M")
"""Looks words up in a full-text index, as opposed to reading all of its rows."""
COUNTED = re.compile(r"SCAN anon_\d+$")
"""Counts what a part of the statement has found."""
LISTED = re.compile(r"(SCAN|SEARCH) (dags|goals|runs) USING (COVERING )?INDEX (?!sqlite)")
TOTAL = "SELECT count(*) AS count_1"
OF_AGENTS = "FROM agents ORDER BY"

LISTS = {
    "/api/v1/dag-executions": ("status=failed", "forkedFrom=e1", "from=2020-01-01", "to=2040-01-01"),
    "/api/v1/dags/d1/executions": ("status=failed", "forkedFrom=e1", "from=2020-01-01", "to=2040-01-01"),
    "/api/v1/runs": (
        "status=failed",
        "forkedFrom=run_1",
        "goalId=goal_1",
        "from=2020-01-01",
        "to=2040-01-01",
    ),
    "/api/v1/goals": ("status=active", "from=2020-01-01", "to=2040-01-01"),
    "/api/v1/dags": ("status=success", "from=2020-01-01", "to=2040-01-01"),
    "/api/v1/asks": ("status=open", "runId=run_1"),
    "/api/v1/goals/goal_1/memories": (),
    "/api/v1/schedules/sched_1/ticks": (),
}
PAGES = ("limit=2", "limit=2&offset=1", "limit=2&cursor=", f"limit=2&cursor={Cursor(2**41, 'x').text}")
SINGLE = (
    "/api/v1/search?q=grow",
    "/api/v1/dag-executions/run_2",
    "/api/v1/dag-executions/run_2/sub-steps",
    "/api/v1/dag-executions/run_2/costs",
    "/api/v1/dag-executions/run_2/budget",
    "/api/v1/dag-executions/run_2/steps/001/attempts",
    "/api/v1/dag-executions/run_2/steps/001/prompt",
    "/api/v1/runs/run_1",
    "/api/v1/runs/run_1/steps",
    "/api/v1/runs/run_1/outputs",
    "/api/v1/runs/run_2/outputs",
    "/api/v1/runs/run_1/budget",
    "/api/v1/runs/run_1/steps/1/attempts",
    "/api/v1/runs/run_1/steps/1/prompt",
    "/api/v1/asks/run_1.1.1",
    "/api/v1/goals/goal_1",
    "/api/v1/goals/goal_1/schedules",
    "/api/v1/schedules/sched_1/next",
    "/api/v1/dags/d1",
    "/api/v1/dags/d1/costs",
    "/api/v1/dags/scheduled",
    "/api/v1/costs/summary",
    "/api/v1/runs/summary",
    "/api/v1/compare?a=run_1&b=run_2",
    "/api/v1/agents",
    "/api/v1/agents/resolve/A",
    "/api/v1/agents/a1",
    "/health/ready",
)
WRITES: tuple[tuple[str, str, Json], ...] = (
    ("POST", "/api/v1/goals", {"objective": "Find out what else grows here"}),
    ("PATCH", "/api/v1/goals/goal_1", {"objective": "Find out what does not grow here"}),
    ("POST", "/api/v1/goals/goal_1/run", {}),
    ("POST", "/api/v1/goals/goal_1/pause", {}),
    ("POST", "/api/v1/goals/goal_1/resume", {}),
    ("POST", "/api/v1/goals/goal_1/schedules", {"cronExpr": "0 9 * * *"}),
    ("PATCH", "/api/v1/goals/goal_1/schedules/sched_1", {"cronExpr": "0 8 * * *"}),
    ("POST", "/api/v1/runs/run_4/resume", {}),
    ("POST", "/api/v1/runs/run_3/cancel", {}),
    ("POST", "/api/v1/runs/run_1/fork", {"from": ["2"]}),
    ("POST", "/api/v1/runs/run_1/budget", {"usd": 1}),
    ("POST", "/api/v1/asks/run_1.1.1/answer", {"verdict": "answer", "value": "x"}),
    ("POST", "/api/v1/agents", {"name": "B", "version": "1", "promptTemplate": "p"}),
    ("PATCH", "/api/v1/agents/a1", {"promptTemplate": "q"}),
    ("POST", "/api/v1/agents/a1/activate", {}),
    ("POST", "/api/v1/create-dag", {"goal-text": "do it", "agentName": "A"}),
    ("POST", "/api/v1/create-and-execute-dag", {"goal-text": "do it", "agentName": "A"}),
    ("POST", "/api/v1/dags/d1/clarify", {"answer": "x"}),
    ("POST", "/api/v1/execute-dag", {"dagId": "d1"}),
    ("POST", "/api/v1/dag-run", {"dagId": "d1"}),
    ("PATCH", "/api/v1/dags/d1", {"dag_title": "T"}),
    ("POST", "/api/v1/dag-executions/run_2/cancel", {}),
    ("POST", "/api/v1/resume-dag/run_2", {}),
    ("POST", "/api/v1/dag-executions/run_2/fork", {"from": ["003"]}),
    ("POST", "/api/v1/dag-executions/run_2/budget", {"usd": 1}),
    ("DELETE", "/api/v1/dag-executions/run_2", None),
    ("DELETE", "/api/v1/runs/run_1", None),
    ("DELETE", "/api/v1/dag/nope", None),
    ("DELETE", "/api/v1/dags/d1", None),
    ("DELETE", "/api/v1/agents/a1", None),
    ("DELETE", "/api/v1/goals/goal_1/schedules/sched_1", None),
    ("DELETE", "/api/v1/goals/goal_1", None),
)
"""Requests that change something, in an order in which each finds what it changes."""
WRITES_WITHOUT_VIEWS = re.compile(r"/api/v1/(keys|task|dag-experiments)\b")
WITHOUT_VIEWS = re.compile(
    r"/health$|/[^/]+\.json$|/docs$|/schemas/|/api/v1/(keys|tools|artifacts|budget|events)\b|.*/events$"
)
"""Paths whose answers are not read from the views."""
COMMON_FILTERS = (
    "/api/v1/runs?q=grows",
    "/api/v1/runs?tool=writeFile&cursor=",
    "/api/v1/dag-executions?q=grows",
    "/api/v1/dag-executions?tool=writeFile&q=grows&cursor=",
    "/api/v1/dag-executions?agent=A",
    "/api/v1/dags?q=grows",
    "/api/v1/goals?q=grows",
    "/api/v1/goals?tool=writeFile",
)
PAGING = {"limit", "offset", "cursor"}
SLOW_FILTERS = SLOW - {"min_cost"} | {"minCostUsd"}
"""Filters that may read a whole table. Such reads run in a thread."""


def lists() -> Iterator[str]:
    """Every list with every combination of its filters, by every way to page."""
    for path, filters in LISTS.items():
        for chosen in product(*((None, one) for one in filters)):
            for page in PAGES:
                yield f"{path}?{'&'.join(filter(None, (*chosen, page)))}"


@contextmanager
def recorded(api: Api) -> Iterator[dict[str, Any]]:
    """The statements that the views are asked for, with the parameters that came last."""
    statements: dict[str, Any] = {}

    def record(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        statements[statement] = parameters

    event.listen(api.gateway.views._engine, "before_cursor_execute", record)
    yield statements
    event.remove(api.gateway.views._engine, "before_cursor_execute", record)


async def test_no_query_of_the_gateway_reads_or_sorts_a_whole_table(api: Api) -> None:
    schedule = Schedule(cron="@daily")
    created = goal.Created(objective="Find out what grows here")
    await api.write(GOAL, "goal_1", created, goal.ScheduleAdded(schedule_id="sched_1", schedule=schedule))
    await api.write(DAG, "d1", dag.Requested(goal_text="do it", agent_name="A", schedule=schedule))
    await completed(api, "run_1")
    await executed(api, "run_2")

    with recorded(api) as statements:
        for path in (*lists(), *SINGLE):
            assert (await api.get(path)).status in {200, 404, 503}, path

    assert len(statements) > 40
    assert all_unbounded(api, statements) == {}


async def test_no_request_that_changes_something_reads_or_sorts_a_whole_table(
    start_gateway: StartGateway,
) -> None:
    api = await start_gateway(llm=LLM, planning_wait_s=0.01)
    await add_default_agents(api)
    await add_agent(api, "A")
    for tool in ("noop", "readFile", "writeFile"):
        api.gateway.catalogue.add(ToolSpec(name=tool, description="", parameters={}, effect=Effect.READ))
    schedule = Schedule(cron="@daily")
    created = goal.Created(objective="Find out what grows here")
    await api.write(GOAL, "goal_1", created, goal.ScheduleAdded(schedule_id="sched_1", schedule=schedule))
    await api.write(DAG, "d1", dag.Imported(job=jobs.job(), title="T"))
    await completed(api, "run_1")
    await executed(api, "run_2")
    for run_id, *events in (("run_3",), ("run_4", run.Failed(error="no model"))):
        await api.write(RUN, run_id, wanted(schedule_id="sched_1"), *events)

    answers = {}
    with recorded(api) as statements:
        for method, path, body in WRITES:
            answers[path] = await api.call(method, path, json=body)

    assert "the schedule has started another run" in answers["/api/v1/runs/run_4/resume"].json["error"]
    assert {path: one.body for path, one in answers.items() if one.status >= 500} == {}
    assert all_unbounded(api, statements) == {}


def all_unbounded(api: Api, statements: dict[str, Any]) -> dict[str, list[str]]:
    """The unbounded steps of each statement that has some."""
    with closing(sqlite3.connect(api.gateway.settings.views_file)) as connection:
        found = {one: unbounded(connection, one, parameters) for one, parameters in statements.items()}
    return {one: steps for one, steps in found.items() if steps}


@pytest.mark.parametrize(
    ("path", "index", "column"),
    [
        ("/api/v1/dags?agent=A", "dags_newest", "agent_name"),
        ("/api/v1/dags?tool=writeFile", "dags_newest", "tools"),
        ("/api/v1/dags?minCostUsd=0.1", "dags_newest", "planning_cost_pico"),
        ("/api/v1/dags?minCostUsd=0.1&status=success", "dags_newest_by_status", "planning_cost_pico"),
        ("/api/v1/goals?agent=A", "goals_newest", "agent_id"),
        ("/api/v1/runs?minCostUsd=0.1", "goal_runs_newest", "cost_pico"),
        ("/api/v1/dag-executions?minCostUsd=0.1", "executions_changed", "cost_pico"),
        ("/api/v1/dag-executions?minCostUsd=0.1&cursor=", "executions_newest", "cost_pico"),
    ],
)
async def test_pages_and_totals_test_rows_in_the_index_of_their_list(
    api: Api, path: str, index: str, column: str
) -> None:
    with recorded(api) as statements:
        assert (await api.get(path)).status == 200

    with closing(sqlite3.connect(api.gateway.settings.views_file)) as connection:
        steps = [step for one in statements for step in plan(connection, one, statements[one])]
        columns = {row[2] for row in connection.execute(f"PRAGMA index_info({index})")}
    read = [step for step in steps if LISTED.match(step)]
    assert read
    assert all(f" {index}" in step for step in read), read
    assert column in columns


async def test_rows_are_not_sorted_by_a_filter_that_many_rows_pass(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(filtering, "MANY", 1)
    await api.write(GOAL, "goal_1", goal.Created(objective="Find out what grows here"))
    await completed(api, "run_1")
    await executed(api, "run_2")
    started = (STARTED, run.StepsStarted(steps=("001",)))
    await planned(api, "run_3", started, (done("001", "of an agent", agent_id="A"),))

    with recorded(api) as statements:
        for path in COMMON_FILTERS:
            assert (await api.get(path)).json, path

    pages = [
        one
        for one in statements
        if "ORDER BY" in one and "planning_attempts" not in one and not one.startswith(TOTAL)
    ]
    assert len(pages) == len(COMMON_FILTERS)
    with closing(sqlite3.connect(api.gateway.settings.views_file)) as connection:
        steps = [step for one in pages for step in plan(connection, one, statements[one])]
    assert sorts(steps) == []
    of_tool = [step for step in steps if "run_steps_by_tool" in step]
    assert of_tool
    assert all(step.endswith("(name=? AND run_id=?)") for step in of_tool), of_tool


def plan(connection: sqlite3.Connection, statement: str, parameters: Any) -> list[str]:
    """The steps of a statement."""
    return [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters)]


def sorts(steps: list[str]) -> list[str]:
    """The steps that sort all that was found."""
    return [step for step in steps if "USE TEMP B-TREE" in step and "GROUP BY" not in step]


def unbounded(connection: sqlite3.Connection, statement: str, parameters: Any) -> list[str]:
    """The steps of a statement that go through a whole table, or sort all that was found.

    To go through an index in its order is to read no more than the page.
    """
    if statement.startswith(("BEGIN", "ROLLBACK")) or OF_AGENTS in statement:
        return []
    steps = plan(connection, statement, parameters)
    pages = " USING INDEX ", " USING COVERING INDEX "
    is_page = " LIMIT " in statement and not statement.startswith(TOTAL)
    scans = [
        step
        for step in steps
        if step.startswith("SCAN ")
        and not (step.startswith(SMALL) or PARTIAL.search(step) or FULL_TEXT.search(step))
        and not COUNTED.match(step)
        and not (is_page and any(one in step for one in pages))
    ]
    return sorts(steps) + scans


def test_every_read_and_every_filter_of_the_api_is_checked() -> None:
    asked = {
        path.partition("?")[0]: {one.partition("=")[0] for one in filters} for path, filters in LISTS.items()
    }
    asked |= {path.partition("?")[0]: set() for path in SINGLE}
    missing = []
    for one in ENDPOINTS:
        if one.method != "GET" or WITHOUT_VIEWS.match(one.path):
            continue
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", one.path))
        checked = [filters for path, filters in asked.items() if pattern.fullmatch(path)]
        if not checked:
            missing.append(one.path)
        elif one.query and "cursor" in one.query.model_fields and "/search" not in one.path:
            names = {field.alias or name for name, field in one.query.model_fields.items()}
            if unchecked := names - PAGING - SLOW_FILTERS - checked[0]:
                missing.append(f"{one.path} {unchecked}")
    assert missing == []


def test_every_write_of_the_api_is_checked() -> None:
    missing = []
    for one in ENDPOINTS:
        pattern = re.compile(re.sub(r"\{[^}]+\}", "[^/]+", one.path))
        is_checked = any(method == one.method and pattern.fullmatch(path) for method, path, _ in WRITES)
        if one.method != "GET" and not is_checked and not WRITES_WITHOUT_VIEWS.match(one.path):
            missing.append(f"{one.method} {one.path}")
    assert missing == []
