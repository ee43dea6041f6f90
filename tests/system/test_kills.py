"""Any process may be killed at any moment: what was accepted completes, and what has completed stays so."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from contracts.domain import dag, run
from contracts.domain.schedule.ticks import Decision, Ticked
from deploy.local.system import NATS, SERVICES
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

STOPS_WITHIN_S = 8.0
"""Less than the 10 s that sendWebhook waits for an answer."""
Counted = Callable[..., Any]


async def accept_goal(bed: Bed, goal: str) -> tuple[str, str]:
    """Ids of the DAG and the execution of a goal that has been accepted and not planned yet."""
    body = {"goal-text": goal, "agentName": "DecomposerV8"}
    async with (
        aiohttp.ClientSession(bed.system.url) as http,
        http.post("/api/v1/create-and-execute-dag", json=body, headers={"Prefer": "respond-async"}) as answer,
    ):
        accepted = await answer.json()
        assert answer.status == 202, accepted
        return accepted["dagId"], accepted["executionId"]


@pytest.mark.parametrize("victim", [*SERVICES, NATS])
async def test_a_kill_in_the_middle_changes_nothing(
    bed: Bed, victim: str, eventually: Eventually, counted: Counted
) -> None:
    """One DAG has two steps in progress and a goal is just being planned when the process is killed."""
    goal = f"Find out slowly what a killed {victim} breaks"
    first, left, right, last = (f"{victim}-{name}" for name in ("first", "left", "right", "last"))
    gates = [bed.hooks.gate(name) for name in (left, right)]
    job = bed.hooks.job({first: (), left: (first,), right: (first,), last: (left, right)})
    execution_id = (await bed.client.dags.execute_job(job)).execution_id
    hearing = asyncio.create_task(bed.told(execution_id))
    for gate in gates:
        await gate.called.wait()
    dag_id, planned_id = await accept_goal(bed, goal)
    await eventually(lambda: bed.asked_for_a_plan(goal))

    bed.system.kill(victim)
    for gate in gates:
        gate.open()

    assert await bed.end(execution_id) == "completed"
    assert await bed.end(planned_id) == "completed"
    interrupted = {left, right} if victim == "executor" else set()
    steps = counted(await bed.history(execution_id))
    assert set(steps.completions.values()) == {1}
    assert {step for step, starts in steps.starts.items() if starts > 1} == interrupted
    for step in (first, left, right, last):
        assert bed.hooks.calls[f"{execution_id}/{step}"] == steps.starts[step]
    told = await hearing
    assert [event.sub_step_id for event in told if event.type == "substep.completed"].count(last) == 1
    assert told[-1].type == "execution.completed"
    planning = [event for one in await bed.log.read("dag", dag_id) for event in one.commit.events]
    assert sum(isinstance(event, dag.Planned) for event in planning) == 1
    assert sum(isinstance(event, run.Requested) for event in await bed.history(planned_id)) == 1
    assert set(counted(await bed.history(planned_id)).completions.values()) == {1}
    await bed.system.ready()
    for shown in (await bed.shown(execution_id), await bed.shown(planned_id)):
        assert {shown.status, *(step.status for step in shown.sub_steps)} == {"completed"}


async def test_sigterm_lets_the_steps_in_progress_finish(
    bed: Bed, counted: Counted, eventually: Eventually
) -> None:
    """Each of the five services ends with status 0; the executor first finishes the step in its hands."""
    gate = bed.hooks.gate("drained-1")
    job = bed.hooks.job({"drained-1": (), "drained-2": ("drained-1",)})
    execution_id = (await bed.client.dags.execute_job(job)).execution_id
    await gate.called.wait()
    said = len(bed.lines)
    for service in SERVICES:
        bed.system.kill(service, signal.SIGTERM)
    gate.open()

    def still_running() -> set[str]:
        ended = {line.partition(":")[0] for line in bed.lines[said:] if ": ended with status 0; " in line}
        return set(SERVICES) - ended

    await eventually(lambda: not still_running() or None, timeout=WAIT_S)
    assert await bed.end(execution_id) == "completed"
    steps = counted(await bed.history(execution_id))
    assert set(steps.starts.values()) == {1}
    await bed.system.ready()


async def test_a_cancel_stops_the_step_in_progress_at_once(bed: Bed) -> None:
    """The executor hears of it: it hangs up on the step's call, and calls nothing more of this execution."""
    gate = bed.hooks.gate("called-off-1")
    job = bed.hooks.job({"called-off-1": (), "called-off-2": ("called-off-1",)})
    execution_id = (await bed.client.dags.execute_job(job)).execution_id
    await gate.called.wait()
    await bed.client.executions.cancel(execution_id, "not needed any more")
    async with asyncio.timeout(STOPS_WITHIN_S):
        await gate.left.wait()
    gate.open()
    assert await bed.end(execution_id) == "cancelled"
    after = (await bed.client.dags.execute_job(bed.hooks.job({"after-the-cancel": ()}))).execution_id
    assert await bed.end(after) == "completed"
    assert bed.hooks.calls[f"{execution_id}/called-off-1"] == 1
    assert bed.hooks.calls[f"{execution_id}/called-off-2"] == 0


async def test_a_killed_scheduler_fires_every_tick_once(bed: Bed, eventually: Eventually) -> None:
    started = await bed.client.dags.execute_job(bed.hooks.job({"ticking": ()}))
    async with aiohttp.ClientSession(bed.system.url) as http:

        async def schedule(**wanted: Any) -> None:
            async with http.patch(f"/api/v1/dags/{started.dag_id}", json=wanted) as answer:
                assert answer.status == 200, await answer.text()

        async def fired(number: int) -> bool:
            return len(await runs_of(bed, started.dag_id)) >= number

        await schedule(cronSchedule="* * * * * *", scheduleActive=True)
        await eventually(lambda: fired(2))
        bed.system.kill("scheduler")
        before = len(await runs_of(bed, started.dag_id))
        await eventually(lambda: fired(before + 2))
        await schedule(scheduleActive=False)
    ticks = await ticks_of(bed, started.dag_id)
    assert len({event.tick for event in ticks}) == len(ticks)
    runs = await runs_of(bed, started.dag_id)
    assert len(set(runs)) == len(runs)
    for run_id in filter(None, runs):
        assert await bed.end(run_id) == "completed"
        assert bed.hooks.calls[f"{run_id}/ticking"] == 1


async def ticks_of(bed: Bed, dag_id: str) -> list[Ticked]:
    """Every record of a tick of a DAG's schedule."""
    recorded = await bed.log.read("schedule", dag_id)
    return [event for one in recorded for event in one.commit.events if isinstance(event, Ticked)]


async def runs_of(bed: Bed, dag_id: str) -> list[str | None]:
    """The executions that ticks have started."""
    return [event.run_id for event in await ticks_of(bed, dag_id) if event.decision is Decision.FIRED]
