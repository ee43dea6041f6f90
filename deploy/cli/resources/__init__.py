"""`async-agent <resource> <verb>`: one module per resource, imported when its command runs."""

from __future__ import annotations

RESOURCES = {
    "search": "Find runs, executions, goals and plans by their text.",
    "goals": "Goals that agents work on, on request or on a schedule.",
    "runs": "Runs of goals.",
    "compare": "Compare two executions or runs, step by step.",
    "asks": "Questions of runs to a person.",
    "dags": "Plans made from goals.",
    "executions": "Executions of plans.",
    "agents": "Named and versioned system prompts.",
    "keys": "Keys of the API.",
    "tools": "Tools that steps can call.",
    "schedules": "Schedules of goals and plans.",
    "costs": "Costs of model calls.",
    "budget": "What models may cost per day and month.",
    "artifacts": "Files written by steps.",
    "tasks": "Single tasks for an agent, with files.",
    "experiments": "Plan one goal with several models and temperatures.",
    "audit": "Who asked for what.",
    "events": "Live events of the log.",
}
"""Modules of this package, and the help texts of their commands."""
