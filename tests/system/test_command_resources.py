"""`async-agent <resource> <verb>`, as a script uses it: JSON, exit statuses, the stream of a run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import jobs

if TYPE_CHECKING:
    from tests.system.conftest import Bed, Ended, RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

GOAL = "Compare solar and wind power for a small farm"
OBJECTIVE = 'Look after the "old" windmill on the hill'
FOLDER = "look-after-the-old-windmill-on"


async def test_a_script_runs_a_plan_of_its_own(
    bed: Bed, cli: RunCli, command: RunCli, tmp_path: Path
) -> None:
    job = tmp_path / "job.json"
    job.write_text(json.dumps(bed.hooks.job({"scripted-1": (), "scripted-2": ("scripted-1",)})))
    at = ("--url", bed.system.url)
    created = await cli("executions", "create", job, "--json", *at)
    execution_id = json.loads(created.output)["executionId"]

    watched = await command("executions", "watch", execution_id, *at)
    assert watched.status == 0, watched.errors
    assert "scripted-2" in watched.errors

    told = await command("watch", execution_id, "--json", *at)
    assert (told.status, [json.loads(line)["type"] for line in told.output.splitlines()]) == (
        0,
        ["execution.updated"],
    )
    listed = await command("executions", "list", "--limit", "1", *at)
    assert execution_id in listed.output
    assert (await command("executions", "show", execution_id, *at)).output.count("scripted-1") > 1


async def test_a_suspended_execution_is_corrected_forked_and_compared(
    bed: Bed, command: RunCli, tmp_path: Path
) -> None:
    """The fork is executed by the services, and runs only what it does not inherit."""
    at = ("--url", bed.system.url)
    write = jobs.task("001", "writeFile", {"path": "forks/a.txt", "content": "first"})
    read = jobs.task("002", "readFile", {"path": "forks/none.txt"}, needs=("001",))
    job = tmp_path / "job.json"
    job.write_text(json.dumps(jobs.job_json(write, read)))
    first = json.loads((await command("executions", "create", job, "--json", *at)).output)["executionId"]
    assert (await command("executions", "watch", first, *at)).status == 1

    wrong = await command("executions", "resume", first, "--params", '002={"pth": "x"}', *at)
    assert (wrong.status, "path" in wrong.errors) == (1, True), wrong.errors
    corrected = await command(
        "executions", "resume", first, "--params", '002={"path": "forks/a.txt"}', "--json", *at
    )
    answer = json.loads(corrected.output)
    second = answer["executionId"]
    assert (answer["status"], answer["forkedFrom"], answer["inheritedSteps"]) == ("replaced", first, 1)
    assert (await command("executions", "watch", second, *at)).status == 0

    given = await command("executions", "fork", second, "--result", "001=by hand", "--json", *at)
    third = json.loads(given.output)["executionId"]
    watched = await command("executions", "watch", third, *at)
    assert (watched.status, "inherited" in watched.errors) == (0, True), watched.errors

    compared = await command("compare", first, second, *at)
    assert (compared.status, "only_b" in compared.output) == (0, True), compared.output
    tried = await command("executions", "attempts", second, "002", "--json", *at)
    assert [one["outcome"] for one in json.loads(tried.output)] == ["completed"]
    assert second in (await command("executions", "show", first, *at)).output


async def test_a_run_of_an_agent_is_forked_from_a_turn(bed: Bed, command: RunCli) -> None:
    at = ("--url", bed.system.url)
    goal = json.loads((await command("goals", "create", OBJECTIVE, "--json", *at)).output)["id"]
    first = json.loads((await command("goals", "run", goal, "--json", *at)).output)["runId"]
    assert (await command("runs", "watch", first, *at)).status == 0
    refused = await command("runs", "resume", first, *at)
    assert (refused.status, "fork it" in refused.errors) == (1, True), refused.errors

    forked = await command("runs", "fork", first, "--from", "2", "--json", *at)
    second = json.loads(forked.output)["runId"]
    watched = await command("runs", "watch", second, *at)

    assert (watched.status, f"inherits 1 steps of {first}" in watched.errors) == (0, True), watched.errors
    steps = json.loads((await command("runs", "steps", second, "--json", *at)).output)
    assert [one["inherited"] for one in steps][:2] == ["original", None]
    listed = await command("runs", "list", "--forked-from", first, "--json", *at)
    assert [one["id"] for one in json.loads(listed.output)] == [second]
    assert (await command("goals", "delete", goal, *at)).status == 0


async def test_a_goal_is_pursued_and_watched(bed: Bed, command: RunCli) -> None:
    at = ("--url", bed.system.url)
    created = await command("goals", "create", GOAL, "--strategy", "dag", "--cron", "@yearly", "--json", *at)
    goal = json.loads(created.output)["id"]
    run = json.loads((await command("goals", "run", goal, "--json", *at)).output)["runId"]

    watched = await command("runs", "watch", run, *at)
    assert watched.status == 0, watched.errors
    assert watched.output.startswith("# Solar or wind for a small farm")
    assert "completed in" in watched.errors

    assert run in (await command("runs", "list", "--goal", goal, *at)).output
    assert (await command("goals", "delete", goal, *at)).status == 0
    gone = await command("goals", "show", goal, *at)
    assert (gone.status, gone.output, gone.errors) == (2, "", "async-agent: Goal not found\n")


async def test_a_new_schedule_is_shown_with_its_next_tick(bed: Bed, command: RunCli) -> None:
    """In its own time zone."""
    at = ("--url", bed.system.url)
    cron = ("--cron", "0 9 1 1 *", "--timezone", "Asia/Kolkata")
    created = await command("goals", "create", GOAL, *cron, *at)
    assert re.search(r"0 9 1 1 \*.* \d{4}-01-01 09:00:00 IST", created.output), created.output
    told = json.loads((await command("goals", "create", GOAL, *cron, "--json", *at)).output)
    assert "schedules" not in told
    added = await command("schedules", "create", told["id"], "0 0 1 7 *", "--timezone", "Europe/Paris", *at)
    assert re.search(r"\d{4}-07-01 00:00:00 CEST", added.output), added.output
    for goal in (*re.findall(r"goal_\w+", created.output)[:1], told["id"]):
        assert (await command("goals", "delete", goal, *at)).status == 0


async def test_each_list_is_a_json_array(bed: Bed, command: RunCli) -> None:
    """Also where the API puts it into an object; the note on further pages goes to standard error."""
    at = ("--url", bed.system.url)
    started = [await bed.client.dags.execute_job(bed.hooks.job({"listed": ()})) for _ in range(2)]
    for one in started:
        await bed.shown(one.execution_id)
    assert isinstance(json.loads((await command("goals", "list", "--json", *at)).output), list)
    page = await command("executions", "list", "--limit", "1", "--json", *at)
    assert len(json.loads(page.output)) == 1
    assert "more with --offset 1" in page.errors
    steps = await command("executions", "steps", started[0].execution_id, "--json", *at)
    assert json.loads(steps.output)[0]["taskId"] == "listed"


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-16"])
async def test_every_output_encoding_works(
    bed: Bed, command: RunCli, environment: dict[str, str], encoding: str
) -> None:
    """What it lacks is written as JSON does; no command fails when its work is done."""
    environment["PYTHONIOENCODING"] = encoding
    at = ("--url", bed.system.url)
    created = await command("goals", "create", "Größe 日本 😀 erklären", "--json", *at, encoding=encoding)
    assert created.status == 0, created.errors
    goal = json.loads(created.output)
    assert goal["objective"] == "Größe 日本 😀 erklären"
    shown = await command("goals", "list", *at, encoding=encoding)
    assert (shown.status, goal["id"] in shown.output) == (0, True)
    await bed.client.goals.delete(goal["id"])


async def test_an_agent_with_tools_does_a_small_job_and_remembers_it(bed: Bed, command: RunCli) -> None:
    """Two files written at once, read back, summed up; the next run of the goal reads what the first left."""
    at = ("--url", bed.system.url)
    goal = json.loads((await command("goals", "create", OBJECTIVE, "--json", *at)).output)["id"]
    first, second = [await pursued(command, goal, at) for _ in range(2)]

    assert first.output.startswith(f"# {OBJECTIVE}\n")
    assert "\n1. Who will use the result, and what for?\n" in first.output
    assert [line.split()[2:] for line in first.errors.splitlines() if " calls " in line] == [
        *[["1", "calls", "writeFile"]] * 2,
        *[["2", "calls", "readFile"]] * 2,
        ["2", "calls", "remember"],
    ]
    assert "An earlier run has left its notes" in second.errors
    assert second.output == first.output

    memories = await command("goals", "memories", goal, *at)
    assert "The notes on this objective are in look-after-the-old-windmill" in memories.output
    listed = await command("artifacts", "list", "--recursive", *at)
    assert f"{FOLDER}/questions.md" in listed.output.splitlines()
    written = await command("artifacts", "get", f"{FOLDER}/objective.md", *at)
    assert (written.status, written.output) == (0, f"# Objective\n\n{OBJECTIVE}\n")


async def pursued(command: RunCli, goal: str, at: tuple[str, str]) -> Ended:
    """A run of a goal, watched to its end."""
    run = json.loads((await command("goals", "run", goal, "--json", *at)).output)["runId"]
    watched = await command("watch", run, *at)
    assert watched.status == 0, watched.errors
    return watched


async def test_an_artifact_is_got_byte_for_byte(bed: Bed, command: RunCli, tmp_path: Path) -> None:
    at = ("--url", bed.system.url)
    job = tmp_path / "job.json"
    job.write_text(json.dumps(writing("cli/größe.md", "# Größe\r\n")))
    execution = json.loads((await command("executions", "create", job, "--json", *at)).output)["executionId"]
    assert (await command("watch", execution, *at)).status == 0

    copied = await command("artifacts", "get", "cli/größe.md", "--output", tmp_path / "copy.md", *at)
    assert (copied.status, copied.output) == (0, "")
    assert (tmp_path / "copy.md").read_bytes() == "# Größe\r\n".encode()
    nowhere = await command("artifacts", "get", "cli/größe.md", "--output", tmp_path / "no" / "copy.md", *at)
    assert (nowhere.status, "cannot be written" in nowhere.errors) == (2, True)


async def test_a_task_is_answered_on_the_output_alone(bed: Bed, command: RunCli, tmp_path: Path) -> None:
    note = tmp_path / "note.txt"
    note.write_text("hello")
    task = ("tasks", "run", "ParaphrasePro", "Say it better", "--file", note, "--url", bed.system.url)
    answered = await command(*task)
    assert (answered.status, answered.output) == (0, "Say it better\n\n--- File: note.txt ---\nhello\n")
    assert answered.errors.startswith("ParaphrasePro 1.0.0, scripted, ")
    told = json.loads((await command(*task, "--temperature", "0", "--json")).output)
    assert (told["params"]["temperature"], told["inputFiles"][0]["filename"]) == (0, "note.txt")


async def test_a_goal_is_planned_by_several_models(bed: Bed, command: RunCli) -> None:
    models = ("--provider", "openai", "--model", "a", "--model", "b", "--temperature", "0")
    made = await command("experiments", GOAL, *models, "--url", bed.system.url, "--json")
    results = json.loads(made.output)
    assert [(one["model"], one["success"]) for one in results] == [("a", True), ("b", True)]
    shown = await command("dags", "show", results[0]["dagId"], "--url", bed.system.url)
    assert (shown.status, GOAL in shown.output) == (0, True)


async def test_the_log_is_followed_from_any_place(bed: Bed, command: RunCli) -> None:
    at = ("--url", bed.system.url)
    goal = json.loads((await command("goals", "create", GOAL, "--json", *at)).output)["id"]
    assert (await command("goals", "pause", goal, *at)).status == 0

    told = await command("events", "--id", goal, "--after", "0", "--count", "2", "--json", *at)
    events = [json.loads(line) for line in told.output.splitlines()]
    assert [(one["type"], one["subject"], one["specversion"]) for one in events] == [
        ("goal.created", goal, "1.0"),
        ("goal.paused", goal, "1.0"),
    ]
    onward = ("--aggregate", "goal", "--id", goal, "--after", str(events[0]["seq"]), "--count", "1")
    (line,) = (await command("events", *onward, *at)).output.splitlines()
    assert line.split()[3:6] == ["goal.paused", goal, "paused"]


@pytest.mark.parametrize(
    ("args", "status", "said"),
    [
        (("tools", "show", "no such tool"), 2, "Tool not found: no such tool"),
        (("agents", "activate", "agent_x"), 2, "Agent not found"),
        (("artifacts", "get", "no/such.md"), 2, "Artifact not found"),
        (("tasks", "run", "Nobody", "rhyme"), 2, "No active agent found with name: Nobody"),
        (("events", "--aggregate", "nonsense"), 1, "'nonsense' is unknown; there are agent, budget, dag"),
        (("goals", "create", "too short"), 2, "objective"),
        (
            ("goals", "create", GOAL, "--cron", "every day"),
            1,
            "Invalid cron expression; 'every day' has 2 fields",
        ),
        (("goals", "create", GOAL, "--cron", ""), 1, "Invalid cron expression; '' has 0 fields"),
    ],
)
async def test_a_script_is_told_what_went_wrong(
    bed: Bed, command: RunCli, environment: dict[str, str], args: tuple[str, ...], status: int, said: str
) -> None:
    environment["ASYNC_AGENT_URL"] = bed.system.url
    ended = await command(*args)
    assert (ended.status, ended.output) == (status, "")
    assert said in ended.errors


def writing(path: str, content: str) -> dict[str, object]:
    """A plan that writes one file."""
    return jobs.job_json(jobs.task(name="writeFile", params={"path": path, "content": content}))
