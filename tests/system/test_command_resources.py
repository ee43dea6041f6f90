"""`async-agent <resource> <verb>`, as a script uses it: JSON, exit statuses, the stream of a run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.system.conftest import Bed, RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

GOAL = "Compare solar and wind power for a small farm"


async def test_a_script_runs_a_plan_of_its_own(bed: Bed, cli: RunCli, tmp_path: Path) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps(bed.hooks.job({"scripted-1": (), "scripted-2": ("scripted-1",)})))
    at = ("--url", bed.system.url)
    created = await cli("executions", "create", job, "--json", *at)
    execution_id = json.loads(created.output)["executionId"]

    watched = await cli("executions", "watch", execution_id, *at)
    assert watched.status == 0, watched.errors
    assert "scripted-2" in watched.errors

    told = await cli("watch", execution_id, "--json", *at)
    assert (told.status, [json.loads(line)["type"] for line in told.output.splitlines()]) == (
        0,
        ["execution.updated"],
    )
    listed = await cli("executions", "list", "--limit", "1", *at)
    assert execution_id in listed.output
    assert (await cli("executions", "show", execution_id, *at)).output.count("scripted-1") > 1


async def test_a_goal_is_pursued_and_watched(bed: Bed, cli: RunCli) -> None:
    at = ("--url", bed.system.url)
    created = await cli("goals", "create", GOAL, "--strategy", "dag", "--cron", "@yearly", "--json", *at)
    goal = json.loads(created.output)["id"]
    run = json.loads((await cli("goals", "run", goal, "--json", *at)).output)["runId"]

    watched = await cli("runs", "watch", run, *at)
    assert watched.status == 0, watched.errors
    assert watched.output.startswith("# Solar or wind for a small farm")
    assert "completed in" in watched.errors

    assert run in (await cli("runs", "list", "--goal", goal, *at)).output
    assert (await cli("goals", "delete", goal, *at)).status == 0
    gone = await cli("goals", "show", goal, *at)
    assert (gone.status, gone.output, gone.errors) == (2, "", "async-agent: Goal not found\n")


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("tools", "show", "no such tool"), 2, "Tool not found: no such tool"),
        (("agents", "activate", "agent_x"), 2, "Agent not found"),
        (("goals", "create", "too short"), 2, "objective"),
        (("goals", "create", GOAL, "--cron", "every day"), 1, "Invalid cron expression"),
    ],
)
async def test_a_script_is_told_what_went_wrong(
    bed: Bed, cli: RunCli, environment: dict[str, str], args: tuple[str, ...], status: int, said: str
) -> None:
    environment["ASYNC_AGENT_URL"] = bed.system.url
    ended = await cli(*args)
    assert (ended.status, ended.output) == (status, "")
    assert said in ended.errors
