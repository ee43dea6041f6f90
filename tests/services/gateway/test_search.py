"""The full-text search, and the filters of lists by text, time, agent, tool and cost."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from contracts.client import Client, EmptyArgument
from contracts.domain import dag, goal, run
from contracts.domain.dag import DAG
from contracts.domain.goal import GOAL
from contracts.domain.run import RUN
from deploy.cli import main
from gateway.views import filtering
from projector.verify import verify
from tests import jobs
from tests.services.gateway.executions.executions import requested
from tests.services.gateway.runs.runs import GOAL_STARTED, NOW, completed, done, executed, wanted

if TYPE_CHECKING:
    from tests.services.conftest import Api

SEARCH = "/api/v1/search"
EXECUTIONS = "/api/v1/dag-executions"


async def goals(api: Api, *objectives: str) -> None:
    for number, objective in enumerate(objectives):
        await api.write(GOAL, f"goal_{number}", goal.Created(objective=objective))


def asked(text: str, **given: Any) -> run.Requested:
    return requested().model_copy(update={"original_request": text, **given})


async def ids(api: Api, text: str, more: str = "") -> list[str]:
    """The ids of the hits of a text."""
    answer = await api.get(f"{SEARCH}?q={quote(text)}{more}")
    assert answer.status == 200, answer.body
    return [hit["id"] for hit in answer.json["hits"]]


async def test_a_search_finds_all_words_in_any_script_and_the_beginning_of_the_last(api: Api) -> None:
    await goals(api, "A Solar farm for the Käserei 🌞 ферма 太陽光発電")
    found = (
        "solar",
        "SOLAR farm",
        "farm solar",
        "kase",
        "Käserei",
        "🌞",
        "ферма",
        "太陽光",
        "goal_0",
        "solar & farm!",
    )
    not_found = ("wind", "ola", "sol farm")

    hits = {text: await ids(api, text) for text in (*found, *not_found)}

    assert hits == {**{text: ["goal_0"] for text in found}, **{text: [] for text in not_found}}


async def test_the_text_of_a_user_is_never_syntax_of_the_index(api: Api) -> None:
    await goals(api, "solar", "wind")

    for text in (
        '"',
        'solar" OR "wind',
        "solar OR wind",
        "NOT solar",
        "objective:solar",
        "sol*ar",
        "^solar",
        "(",
        "'",
    ):
        answer = await api.get(f"{SEARCH}?q={quote(text + ' x')}")
        assert (answer.status, answer.json["hits"]) == (200, []), text


async def test_a_hit_says_what_was_found_and_where_it_is(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="Compare solar and wind"))
    await api.write(RUN, "run_1", wanted(), GOAL_STARTED, run.Failed(error="the solar service timed out"))
    await api.write(RUN, "dag-exec_1", asked("plan solar panels", dag_title="Panels"))
    await api.write(DAG, "dag_1", dag.Requested(goal_text="solar roof", agent_name="A"))

    hits = (await api.get(f"{SEARCH}?q=solar")).json["hits"]

    keys = ("kind", "id", "title", "status", "url")
    assert [tuple(hit[key] for key in keys) for hit in hits] == [
        ("dag", "dag_1", "solar roof", "planning", "/api/v1/dags/dag_1"),
        ("execution", "dag-exec_1", "Panels", "pending", f"{EXECUTIONS}/dag-exec_1"),
        ("run", "run_1", "Find out what grows here", "failed", "/api/v1/runs/run_1"),
        ("goal", "goal_1", "Compare solar and wind", "active", "/api/v1/goals/goal_1"),
    ]
    assert hits[2]["snippet"] == "the solar service timed out"
    assert [(await api.get(hit["url"])).status for hit in hits] == [200] * 4
    assert await ids(api, "solar", "&kind=goal,dag") == ["dag_1", "goal_1"]


async def test_words_of_one_run_are_found_together_wherever_they_stand(api: Api) -> None:
    await executed(api, "run_1")

    assert await ids(api, "grows report", "&kind=run") == ["run_1"]


async def test_every_page_of_a_search_continues_where_the_last_one_ended(api: Api) -> None:
    await goals(api, *("solar",) * 5)
    await api.write(DAG, "dag_1", dag.Requested(goal_text="solar", agent_name="A", run_id="dag-exec_1"))

    found, following = [], f"{SEARCH}?q=solar&limit=2"
    while following:
        answer = await api.get(following)
        found += [hit["id"] for hit in answer.json["hits"]]
        following = answer.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert found == ["dag-exec_1", "dag_1", "goal_4", "goal_3", "goal_2", "goal_1", "goal_0"]


async def test_the_index_follows_changes_and_deletions(api: Api) -> None:
    await goals(api, "solar", "wind")
    await api.write(GOAL, "goal_0", goal.Updated(objective="tides"))
    await api.write(GOAL, "goal_1", goal.Deleted())

    assert [await ids(api, text) for text in ("solar", "tides", "wind")] == [[], ["goal_0"], []]


WRONG_SEARCHES = [
    ("", "q", "Required"),
    ("q=", "q", "at least 1 character"),
    ("q=%20%20", "q", "a letter, a digit or an emoji"),
    ("q=!!!", "q", "a letter, a digit or an emoji"),
    (f"q={'x' * 4_000}", "q", "at most 500 character"),
    (f"q={'x+' * 40}", "q", "at most 32 words; 40 were given"),
    ("q=x&kind=robot", "kind", "robot"),
    ("q=x&cursor=zz", "cursor", "nextCursor"),
    ("q=x&limit=0", "limit", "1"),
]
"""Queries, the field that is wrong, and what is said about it."""


async def test_a_search_that_cannot_be_made_says_which_parameter_is_wrong(api: Api) -> None:
    for query, field, says in WRONG_SEARCHES:
        answer = await api.get(f"{SEARCH}?{query}")

        assert answer.status == 400, query
        (issue,) = answer.json["validation_errors"]
        assert issue["path"][0] == field, query
        assert says in issue["message"] or says in str(issue), query


async def test_views_with_the_index_are_those_of_a_fresh_fold(api: Api) -> None:
    await completed(api, "run_1")
    await goals(api, "solar")
    await api.write(GOAL, "goal_0", goal.Updated(objective="tides"))

    verdict = await verify(api.log, api.gateway.settings.views_file)

    assert verdict.differences == ()


async def listed(api: Api, path: str) -> Any:
    answer = await api.get(path)
    assert answer.status == 200, answer.body
    body = answer.json
    rows = (
        body if isinstance(body, list) else next(value for value in body.values() if isinstance(value, list))
    )
    return [row["id"] for row in rows]


async def test_runs_are_filtered_by_text_time_tool_and_cost(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="x"))
    await completed(api, "run_1")
    await executed(api, "run_2")
    found = {
        "q=grows": ["run_2", "run_1"],
        "q=report": ["run_2"],
        "tool=readFile": ["run_2"],
        "tool=writeFile": ["run_2", "run_1"],
        "tool=none": [],
        "agent=agent_1": ["run_1"],
        "agent=agent_2": [],
        "minCostUsd=0.003": ["run_2"],
        "minCostUsd=0.0025": ["run_2", "run_1"],
        "minCostUsd=1": [],
        "from=1d": ["run_2", "run_1"],
        "to=1d": [],
        "from=1d&q=grows&tool=readFile&status=completed&minCostUsd=0": ["run_2"],
    }

    assert {filters: await listed(api, f"/api/v1/runs?{filters}") for filters in found} == found
    assert {filters: await listed(api, f"/api/v1/runs?{filters}&cursor=") for filters in found} == found


async def test_executions_are_filtered_by_the_agent_that_planned_them_or_did_a_step(api: Api) -> None:
    await api.write(DAG, "d1", dag.Requested(goal_text="do it", agent_name="Planner"))
    await executed(api, "run_1")
    await api.write(RUN, "e2", asked("another", dag_id="d1"))
    await api.write(RUN, "e3", asked("of nobody", dag_id="d3"))
    await api.write(RUN, "e3", run.Started(executor="e", at=NOW, synthesis="merge"))
    await api.write(RUN, "e3", run.StepsStarted(steps=("001",)), done("001", "x", agent_id="agent_7"))

    assert await listed(api, f"{EXECUTIONS}?agent=Planner") == ["e2"]
    assert await listed(api, f"{EXECUTIONS}?agent=D") == ["run_1"]
    assert await listed(api, f"{EXECUTIONS}?agent=agent_7&cursor=") == ["e3"]
    assert await listed(api, "/api/v1/dags/d1/executions?agent=nobody") == []


async def test_goals_are_filtered_by_the_tools_and_the_cost_of_their_runs(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="x"))
    await api.write(GOAL, "goal_2", goal.Created(objective="y"))
    await completed(api, "run_1")
    await executed(api, "run_2")

    assert await listed(api, "/api/v1/goals?tool=readFile") == ["goal_1"]
    assert await listed(api, "/api/v1/goals?tool=none") == []
    assert await listed(api, "/api/v1/goals?minCostUsd=0.0055") == ["goal_1"]
    assert await listed(api, "/api/v1/goals?minCostUsd=0.0056") == []
    assert await listed(api, "/api/v1/goals?minCostUsd=0") == ["goal_2", "goal_1"]


async def test_dags_are_filtered_by_the_tools_of_their_plans(api: Api) -> None:
    plan = jobs.job(jobs.task("1", "readFile"), jobs.task("2", "inference"))
    await api.write(DAG, "dag_1", dag.Imported(job=plan, title="T"))
    await api.write(DAG, "dag_2", dag.Imported(job=jobs.job(jobs.task("1", "noop")), title="T"))

    assert await listed(api, "/api/v1/dags?tool=readFile") == ["dag_1"]
    assert await listed(api, "/api/v1/dags?tool=inference") == []
    assert await listed(api, "/api/v1/dags?tool=read") == []
    two = quote('writeFile","readFile')
    assert await listed(api, f"/api/v1/dags?tool={two}") == []
    await api.write(DAG, "dag_2", dag.Updated(job=plan.as_json()))
    assert await listed(api, "/api/v1/dags?tool=readFile&cursor=") == ["dag_2", "dag_1"]
    await api.write(DAG, "dag_2", dag.Updated(job={"sub_tasks": [{"action_type": "tool"}, 7]}))
    assert await listed(api, "/api/v1/dags?tool=readFile") == ["dag_1"]


async def test_a_total_counts_what_the_filters_leave(api: Api) -> None:
    for number, text in enumerate(("solar", "wind", "solar")):
        await api.write(RUN, f"e{number}", asked(text))

    answer = (await api.get(f"{EXECUTIONS}?q=solar&limit=1&from=1d")).json

    assert answer["pagination"] == {"limit": 1, "offset": 0, "count": 1, "total": 2}
    assert (await api.get(f"{EXECUTIONS}?q=solar&offset=5")).json["pagination"]["total"] == 2


async def test_goals_and_dags_are_filtered_by_text_time_and_agent(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="solar", agent_id="agent_1"))
    await api.write(GOAL, "goal_2", goal.Created(objective="wind"))
    await api.write(DAG, "dag_1", dag.Requested(goal_text="solar", agent_name="A"))
    await api.write(DAG, "dag_2", dag.Requested(goal_text="wind", agent_name="B"))

    assert await listed(api, "/api/v1/goals?q=sol") == ["goal_1"]
    assert await listed(api, "/api/v1/goals?agent=agent_1&from=1d") == ["goal_1"]
    assert await listed(api, "/api/v1/goals?to=2020-01-01") == []
    assert await listed(api, "/api/v1/dags?status=planning&q=win") == ["dag_2"]
    assert await listed(api, "/api/v1/dags?status=planning&agent=A&from=1d") == ["dag_1"]
    assert await listed(api, "/api/v1/dags?status=planning&minCostUsd=0.1") == []


@pytest.mark.parametrize("path", ["runs", "dag-executions", "goals", "dags", "dags/dag_1/executions"])
async def test_a_filter_that_is_wrong_is_named(api: Api, path: str) -> None:
    await api.write(DAG, "dag_1", dag.Requested(goal_text="solar", agent_name="A"))

    for query, field, says in (
        ("from=yesterday", "from", "'yesterday' is not a valid date: write 2026-01-31"),
        ("to=32d1", "to", "is not a valid date"),
        ("from=1d&to=2d", "from", "'1d' is after `to`, '2d'"),
        ("q=***", "q", "a letter, a digit or an emoji"),
    ):
        answer = await api.get(f"/api/v1/{path}?{query}")

        assert answer.status == 400, query
        (issue,) = answer.json["validation_errors"]
        assert issue["path"] == [field]
        assert says in issue["message"]


async def test_a_minimum_cost_that_is_not_an_amount_is_refused(api: Api) -> None:
    for cost in ("-1", "much", "NaN", "1e3", "", "1000000", "97021860.3"):
        answer = await api.get(f"/api/v1/runs?minCostUsd={cost}")

        assert answer.status == 400, cost
        assert answer.json["validation_errors"][0]["path"] == ["minCostUsd"]


async def test_indexes_are_in_step_with_their_tables(api: Api) -> None:
    await completed(api, "run_1")
    await executed(api, "run_2")
    await api.write(RUN, "run_2", run.Deleted())
    await api.gateway.projected(await api.log.last_seq())

    with closing(sqlite3.connect(api.gateway.settings.views_file)) as connection:
        indexed = connection.execute("SELECT rowid, id FROM runs_text").fetchall()
        rows = connection.execute("SELECT first_seq, id FROM runs").fetchall()
        (noted,) = connection.execute("SELECT count(*) FROM runs_text_changed").fetchone()

    assert indexed == rows
    assert noted == 0


async def test_the_client_searches_and_filters(api: Api) -> None:
    await api.write(GOAL, "goal_1", goal.Created(objective="solar"))
    await completed(api, "run_1")
    await executed(api, "run_2")

    async with Client(str(api.url)) as client:
        hits = await client.search("sol", kinds=("goal", "dag"))
        found = await client.runs.find(text="grows", tool="readFile", since="1d", min_cost_usd="0.001")

    assert [(hit.kind, hit.id) for hit in hits.hits] == [("goal", "goal_1")]
    assert [one.id for one in found] == ["run_2"]


async def test_the_client_refuses_an_empty_id_before_it_sends_anything(api: Api) -> None:
    async with Client(str(api.url)) as client:
        with pytest.raises(EmptyArgument, match="give one for <empty> in goals/<empty>/run"):
            await client.goals.run("")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (("goals", "run", ""), "GOAL"),
        (("watch", ""), "ID"),
        (("runs", "watch", ""), "ID"),
        (("search", ""), "TEXT"),
    ],
)
def test_a_command_names_its_empty_argument(
    arguments: tuple[str, ...], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.app(list(arguments))

    assert ended.value.code == 2
    assert f"{name} is empty" in capsys.readouterr().err


async def test_a_list_is_the_same_whether_many_rows_pass_a_filter_or_few(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2):
        await api.write(GOAL, f"goal_{number}", goal.Created(objective="Find out what grows here"))
    await completed(api, "run_1")
    await executed(api, "run_2")
    await api.write(RUN, "run_3", asked("wind"))
    queries = (
        "q=grows",
        "q=none",
        "q=grows&limit=1",
        "tool=writeFile",
        "tool=none",
        "q=grows&tool=writeFile",
        "agent=D",
        "agent=A",
        "agent=none",
        "agent=D&tool=writeFile",
    )
    lists = (EXECUTIONS, "/api/v1/runs", "/api/v1/dags", "/api/v1/goals")
    paths = [f"{path}?{query}" for path in lists for query in queries]
    few = {path: (await api.get(path)).json for path in paths}

    monkeypatch.setattr(filtering, "MANY", 1)

    assert {path: (await api.get(path)).json for path in paths} == few
