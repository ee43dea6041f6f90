"""Plans for tests, which say of them only what matters there."""

from __future__ import annotations

from typing import Any

from contracts.domain.plan import Job


def task(
    id_: str = "001", name: str = "noop", params: dict[str, Any] | None = None, *, needs: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A step that calls a tool, or infers if `name` is `inference`."""
    return {
        "id": id_,
        "description": f"do {id_}",
        "thought": "",
        "action_type": "inference" if name == "inference" else "tool",
        "tool_or_prompt": {"name": name, "params": params or {}},
        "expected_output": "",
        "dependencies": list(needs),
    }


def job_json(*tasks: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A plan as a client sends it; of one step where no `tasks` are given."""
    return {
        "original_request": "do it",
        "intent": {"primary": "work", "sub_intents": []},
        "entities": [],
        "sub_tasks": list(tasks or (task(),)),
        **changes,
    }


def job(*tasks: dict[str, Any], **changes: Any) -> Job:
    """A plan as it is kept."""
    return Job.model_validate(job_json(*tasks, **changes))
