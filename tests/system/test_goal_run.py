"""Goals on real processes: what a run does, finds and leaves; a killed executor changes none of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import orjson
import pytest

from contracts.core.event import Event
from contracts.domain import run

if TYPE_CHECKING:
    from tests.system.conftest import Bed

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]

Eventually = Callable[..., Awaitable[Any]]
Call = Callable[..., Awaitable[Any]]


@asynccontextmanager
async def api(bed: Bed) -> AsyncGenerator[Call]:
    """Calls of the HTTP API that are granted."""
    async with aiohttp.ClientSession(bed.system.url) as http:

        async def call(method: str, path: str, body: Any = None) -> Any:
            async with http.request(method, f"/api/v1/{path}", json=body) as answer:
                content = await answer.read()
                assert answer.status < 400, content
                return orjson.loads(content) if content else None

        yield call


async def trigger(call: Call, **goal: Any) -> tuple[str, str]:
    """Ids of a new goal and of its first run."""
    created = await call("POST", "goals", goal)
    triggered = await call("POST", f"goals/{created['id']}/run")
    return created["id"], triggered["runId"]


async def ended(call: Call, run_id: str, eventually: Eventually) -> Any:
    """A run as clients see it once it has ended."""

    async def look() -> Any:
        shown = await call("GET", f"runs/{run_id}")
        return shown if shown["status"] in {"completed", "failed"} else None

    return await eventually(look)


def numbers(history: list[Event], kind: type[Event]) -> int:
    return sum(isinstance(event, kind) for event in history)


async def test_a_goal_is_pursued_and_leaves_what_it_found(bed: Bed, eventually: Eventually) -> None:
    hook = f"{bed.hooks.url}/pursued"
    wanted = {"objective": f"Please call the hook at {hook} once", "webhookUrl": f"{bed.hooks.url}/told"}
    async with api(bed) as call:
        goal_id, run_id = await trigger(call, **wanted, params={"stepBudget": 4})
        shown = await ended(call, run_id, eventually)
        first, last = await call("GET", f"runs/{run_id}/steps")
        await eventually(lambda: bed.hooks.calls[f"{run_id}/webhook"])
        outputs = await eventually(lambda: _four(call, f"runs/{run_id}/outputs"))
        memories = await eventually(lambda: call("GET", f"goals/{goal_id}/memories"))

    assert (shown["status"], shown["error"], shown["stepsExecuted"]) == ("completed", None, 2)
    assert shown["agentName"] == "defaultAgent"
    memory = shown["workingMemory"]
    assert list(memory) == ["step_1_sendWebhook_0", "step_1_writeFile_1", "step_1_remember_2", "summary"]
    assert memory["step_1_sendWebhook_0"]["status"] == 200
    assert shown["totalUsage"]["totalTokens"] > 0
    assert [tool["toolName"] for tool in first["toolCalls"]] == ["sendWebhook", "writeFile", "remember"]
    assert (first["type"], last["type"]) == ("tool", "result")
    assert sorted(output["kind"] for output in outputs) == ["file", "summary", "webhook", "webhook"]
    assert {memory["type"] for memory in memories} == {"artifact", "fact", "note"}
    assert bed.hooks.calls[f"{run_id}/1.0"] == bed.hooks.calls[f"{run_id}/webhook"] == 1


async def _four(call: Call, path: str) -> Any:
    rows = await call("GET", path)
    return rows if len(rows) >= 4 else None


async def test_a_killed_executor_changes_nothing_of_a_goal_run(bed: Bed, eventually: Eventually) -> None:
    gate = bed.hooks.gate("goal-gate")
    wanted = {"objective": f"Please call the hook at {bed.hooks.url}/goal-gate once"}
    async with api(bed) as call:
        _, run_id = await trigger(call, **wanted)
        await gate.called.wait()
        bed.system.kill("executor")
        gate.open()
        shown = await ended(call, run_id, eventually)
        steps = await call("GET", f"runs/{run_id}/steps")
    await bed.system.ready()

    history = await bed.history(run_id)
    assert (shown["status"], shown["stepsExecuted"]) == ("completed", 2)
    assert numbers(history, run.TakenOver) == 1
    assert numbers(history, run.TurnTaken) == 2
    assert numbers(history, run.CallAnswered) == 3
    assert numbers(history, run.Summarised) == numbers(history, run.Completed) == 1
    started = [step for event in history if isinstance(event, run.StepsStarted) for step in event.steps]
    assert bed.hooks.calls[f"{run_id}/1.0"] == started.count("1.0") == 2
    assert [step["stepNo"] for step in steps] == [1, 2]


async def test_a_goal_pursued_by_a_plan_is_a_run_and_an_execution(bed: Bed, eventually: Eventually) -> None:
    wanted = {"objective": "Compare solar and wind power for a small farm", "params": {"strategy": "dag"}}
    async with api(bed) as call:
        goal_id, run_id = await trigger(call, **wanted)
        shown = await ended(call, run_id, eventually)
        execution = await call("GET", f"dag-executions/{run_id}")
        outputs = await call("GET", f"runs/{run_id}/outputs")
        memories = await eventually(lambda: call("GET", f"goals/{goal_id}/memories"))
        await call("DELETE", f"goals/{goal_id}")
        runs = await call("GET", f"runs?goalId={goal_id}")

    assert (shown["status"], shown["strategy"], shown["dagId"]) == ("completed", "dag", execution["dagId"])
    assert shown["workingMemory"]["summary"] == execution["finalResult"]
    assert {output["kind"] for output in outputs} == {"file", "summary"}
    assert {memory["type"] for memory in memories} >= {"note"}
    assert runs == []
