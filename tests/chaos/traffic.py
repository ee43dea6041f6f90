"""What the clients ask for while processes die: plans, goals, plans of models, schedules, large values."""

from __future__ import annotations

import asyncio
import contextlib
import random
from typing import Any

from tests.chaos.tools import IDEMPOTENT, ONCE, READ
from tests.chaos.world import RETRY_S, World

PLANNER = "DecomposerV8"
CLIENTS = 5
PAUSE_S = (0.05, 0.8)
"""Of a client between two requests, at least and at most."""
CROWD = 100
"""Number of clients that ask at the same moment, so that their commits are stored as batches."""
CROWD_PAUSE_S = 25.0
"""Between two moments."""
SMALL, LARGE, LARGEST = 200, 100_000, 3_000_000
EVERY_S = 5
CRON = f"*/{EVERY_S} * * * * *"
WEIGHTS = {"plan": 6, "large plan": 2, "goal": 2, "goal that acts": 2, "planned": 2}


async def prepare(world: World, seed: int) -> None:
    """What is there before the first fault: agents, which planners make, a DAG and a goal with schedules."""
    while (await world.ask("GET", f"/api/v1/agents/resolve/{PLANNER}"))[0] != 200:
        await asyncio.sleep(RETRY_S)
    key = f"chaos-{seed}-every"
    body = {"goal-text": f"Keep the mill running {key}", "agentName": PLANNER, "cronSchedule": CRON}
    await world.post("schedule", "/api/v1/create-dag", body, key)
    goal = _goal(world, f"{key}-goal") | {"schedule": {"cronExpr": CRON, "timezone": "UTC"}}
    await world.post("goal schedule", "/api/v1/goals", goal, f"{key}-goal")


async def keep_asking(world: World, seed: int, until: asyncio.Event) -> None:
    """Several clients ask one thing after another, and now and then many at once.

    Returns when the answer to each has come.
    """
    async with asyncio.TaskGroup() as clients:
        clients.create_task(_crowds(world, seed, until))
        for number in range(CLIENTS):
            clients.create_task(_client(world, f"{seed}-{number}", until))


async def stop_schedules(world: World) -> None:
    """So that the runs come to an end."""
    for one in world.accepted:
        if one.kind == "schedule":
            await world.ask("PATCH", f"/api/v1/dags/{one.answer['dagId']}", {"scheduleActive": False})
        elif one.kind == "goal schedule":
            await world.ask("POST", f"/api/v1/goals/{one.answer['id']}/pause", {})


async def _client(world: World, name: str, until: asyncio.Event) -> None:
    chance = random.Random(name)
    number = 0
    while not until.is_set():
        kind = chance.choices(list(WEIGHTS), list(WEIGHTS.values()))[0]
        key = f"chaos-{name}-{number}"
        await ASKING[kind](world, chance, key)
        number += 1
        await asyncio.sleep(chance.uniform(*PAUSE_S))


async def _crowds(world: World, seed: int, until: asyncio.Event) -> None:
    chance = random.Random(seed)
    number = 0
    while not until.is_set():
        keys = [f"chaos-{seed}-crowd-{number}-{n}" for n in range(CROWD)]
        await asyncio.gather(*(_plan(world, chance, key) for key in keys))
        number += 1
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(until.wait(), CROWD_PAUSE_S)


async def _plan(world: World, chance: random.Random, key: str) -> None:
    await world.post("execution", "/api/v1/execute-dag", _job(chance, key, SMALL), key)


async def _large_plan(world: World, chance: random.Random, key: str) -> None:
    size = chance.choice((LARGE, LARGE, LARGEST))
    await world.post("execution", "/api/v1/execute-dag", _job(chance, key, size), key)


async def _pursue(world: World, _: random.Random, key: str) -> None:
    goal = await world.post("goal", "/api/v1/goals", _goal(world, key), f"{key}-goal")
    await world.post("run", f"/api/v1/goals/{goal['id']}/run", {}, key)


async def _act(world: World, _: random.Random, key: str) -> None:
    goal = _goal(world, key)
    goal["params"] |= {"allowedTools": [ONCE.name, READ.name]}
    made = await world.post("goal", "/api/v1/goals", goal, f"{key}-goal")
    await world.post("run", f"/api/v1/goals/{made['id']}/run", {}, key)


async def _planned(world: World, _: random.Random, key: str) -> None:
    body = {"goal-text": f"Compare two windmills {key}", "agentName": PLANNER}
    await world.post("planned execution", "/api/v1/create-and-execute-dag", body, key)


ASKING = {
    "plan": _plan,
    "large plan": _large_plan,
    "goal": _pursue,
    "goal that acts": _act,
    "planned": _planned,
}


def _goal(world: World, key: str) -> dict[str, Any]:
    return {
        "objective": f"Look after the windmill {key}",
        "webhookUrl": f"{world.sink}/{key}",
        "params": {"stepBudget": 6},
    }


def _job(chance: random.Random, key: str, size: int) -> dict[str, Any]:
    """Some steps side by side, and others that need them; of all effects, with results of `size`."""
    first = [_task(chance, f"{n:03}", size, []) for n in range(1, chance.randint(2, 6))]
    needs = [task["id"] for task in first]
    last = [_task(chance, f"{n:03}", SMALL, needs) for n in range(len(first) + 1, len(first) + 3)]
    last[0]["tool_or_prompt"]["params"]["given"] = f"all of <Result of Task {needs[0]}>"
    return {
        "original_request": key,
        "intent": {"primary": "test", "sub_intents": []},
        "entities": [],
        "sub_tasks": [*first, *last],
        "synthesis_plan": "",
        "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
        "clarification_needed": False,
    }


def _task(chance: random.Random, step: str, size: int, needs: list[str]) -> dict[str, Any]:
    tool = chance.choice((READ, IDEMPOTENT, ONCE))
    params = {"ms": chance.choice((0, 0, 20, 200, 1500)), "size": size if chance.random() < 0.5 else SMALL}
    return {
        "id": step,
        "description": f"do {step}",
        "thought": "",
        "action_type": "tool",
        "tool_or_prompt": {"name": tool.name, "params": params},
        "expected_output": "something",
        "dependencies": needs,
    }
