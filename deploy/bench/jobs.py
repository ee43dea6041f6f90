"""The plans that the workloads run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Job = dict[str, Any]


def chain(length: int, tool: str = "benchNoop", **params: Any) -> Job:
    """Return a job of `length` steps. Each depends on the previous step."""
    return _job([_task(n, tool, params, [n - 1] if n > 1 else []) for n in range(1, length + 1)])


def single(tool: str, **params: Any) -> Job:
    """Return a job of one step."""
    return chain(1, tool, **params)


def fan(width: int, ms: int) -> Job:
    """Return a job of one step, then `width` parallel steps of `ms` milliseconds, then one final step."""
    middle = range(2, width + 2)
    return _job(
        [
            _task(1, "benchNoop", {}, []),
            *(_task(n, "benchSleep", {"ms": ms}, [1]) for n in middle),
            _task(width + 2, "benchNoop", {}, list(middle)),
        ]
    )


def _task(number: int, tool: str, params: dict[str, Any], needs: Sequence[int]) -> dict[str, Any]:
    return {
        "id": f"{number:03}",
        "description": f"step {number}",
        "thought": "measure",
        "action_type": "tool",
        "tool_or_prompt": {"name": tool, "params": params},
        "expected_output": "nothing",
        "dependencies": [f"{need:03}" for need in needs],
    }


def _job(tasks: Sequence[dict[str, Any]]) -> Job:
    return {
        "original_request": "benchmark",
        "intent": {"primary": "benchmark", "sub_intents": []},
        "entities": [],
        "sub_tasks": list(tasks),
        "synthesis_plan": "",
        "validation": {"coverage": "high", "gaps": [], "iteration_triggers": []},
        "clarification_needed": False,
    }
