"""Nothing accepted is lost and nothing is done twice, whatever happens to the processes.

`make chaos CHAOS_SEEDS="1 2 3" CHAOS_SECONDS=150` says which seeds to run, and for how long each. A seed does
the same faults in the same order; what the requests have come to by then, the machine decides. With
CHAOS_REPLICAS=3 the log is on three nats-servers, which are killed, stopped and cut off one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from asyncio.subprocess import PIPE, STDOUT
from pathlib import Path

import pytest

from tests.chaos import checker, faults, traffic
from tests.chaos.replicas import check_replicas, read_each
from tests.chaos.report import Report
from tests.chaos.streams import ExecutionsWatched, Watched, everything
from tests.chaos.world import World, running_world

SEEDS = [int(seed) for seed in os.environ.get("CHAOS_SEEDS", "1").replace(",", " ").split()]
SECONDS = float(os.environ.get("CHAOS_SECONDS", "60"))
REPLICAS = int(os.environ.get("CHAOS_REPLICAS", "1"))
SETTLE_S = 180
"""The longest that the runs may take to end when nothing is done to them any more."""
LOOK_S = 1.0

pytestmark = [pytest.mark.chaos, pytest.mark.system, pytest.mark.timeout(SECONDS + SETTLE_S * 3 + 120)]


@pytest.mark.parametrize("seed", SEEDS)
async def test_nothing_is_lost_and_nothing_is_done_twice(
    seed: int, tmp_path: Path, reports: list[Report]
) -> None:
    report = Report(seed)
    reports.append(report)
    async with running_world(tmp_path / "data", REPLICAS) as world:
        try:
            await suffer(world, report)
        finally:
            (tmp_path / "lines.log").write_text("\n".join(world.lines))
    assert not report.violations, f"seed {seed}, logs in {tmp_path}:\n" + "\n".join(report.violations)


async def suffer(world: World, report: Report) -> None:
    """Traffic and faults at once; then calm; then everything is compared."""
    await traffic.prepare(world, report.seed)
    watched, executions = everything(world), ExecutionsWatched(world)
    watching = [asyncio.create_task(one.run()) for one in (watched, executions)]
    over = asyncio.Event()
    asking = asyncio.create_task(traffic.keep_asking(world, report.seed, over))
    try:
        planned = faults.plan(report.seed, SECONDS, world.servers())
        report.faults = await faults.carry_out(world, planned)
        over.set()
        async with asyncio.timeout(SETTLE_S):
            await asking
        await traffic.stop_schedules(world)
        await settle(world)
        await compare(world, watched, executions, report)
    finally:
        for task in (*watching, asking):
            task.cancel()
        await asyncio.gather(*watching, asking, return_exceptions=True)


async def settle(world: World) -> None:
    """Wait until every run has ended and called its webhook; suspended ones are resumed, as by a person."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            while going_on := await unended(world):
                for run, state in going_on.items():
                    if state == "suspended":
                        await world.ask("POST", f"/api/v1/resume-dag/{run}", {})
                await asyncio.sleep(LOOK_S)


async def unended(world: World) -> dict[str, str]:
    """The runs that have not ended or not called their webhook, with where they stand."""
    history = await checker.read(world.system.nats_url)
    states, calling = history.run_states(), set(checker.undelivered(history))
    return {run: state for run, state in states.items() if state not in checker.OVER or run in calling}


async def compare(world: World, watched: Watched, executions: ExecutionsWatched, report: Report) -> None:
    """Everything that was seen, against the log."""
    await world.system.ready(SETTLE_S)
    history = await checker.read(world.system.nats_url, blobs=True)
    found = report.violations
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            await watched.reaches(history.commits[-1].seq)
            await executions.end()
    found += checker.check_versions(history)
    found += checker.check_runs(history)
    found += checker.check_accepted(history, world.accepted)
    found += checker.check_effects(history, world.effects())
    found += checker.check_blobs(history)
    found += checker.check_ticks(history)
    found += checker.check_stream(history, watched.told)
    found += checker.check_execution_streams(
        history, {id_: client.told for id_, client in executions.clients.items()}
    )
    found += checker.check_webhooks(history, world.webhooks)
    found += checker.check_views(history, await shown(world, history))
    found += await verified(world)
    if world.cluster:
        found += check_replicas(await read_each(world.system.nats_url, world.cluster.members))
    report.runs, report.commits = len(history.run_states()), len(history.commits)
    report.batches = len({one.batch for one in history.commits} - {""})
    report.streams, report.webhooks = len(executions.clients), len(world.webhooks)
    report.blobs, report.effects = len(history.blobs), len(world.effects())


async def shown(world: World, history: checker.History) -> dict[str, str]:
    """How the API shows each run."""
    answers = {}
    for run, events in history.of("run").items():
        kind = "runs" if events[0]["type"] == "run.goal_requested" else "dag-executions"
        _, answer = await world.ask("GET", f"/api/v1/{kind}/{run}")
        answers[run] = answer.get("status", str(answer))
    return answers


async def verified(world: World) -> list[str]:
    """What `async-agent views verify` finds, beside our own comparison."""
    script = Path(sys.executable).with_name("async-agent")
    nats = ("--nats-url", world.system.nats_url)
    process = await asyncio.create_subprocess_exec(
        script, "views", "verify", "--data", world.data, *nats, stdout=PIPE, stderr=STDOUT, cwd=world.data
    )
    output, _ = await process.communicate()
    return [f"views verify: {output.decode()}"] if process.returncode else []
