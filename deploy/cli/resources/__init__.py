"""`async-agent <resource> <verb>`: one module per resource, imported when it is asked for."""

from __future__ import annotations

RESOURCES = {
    "goals": "What is to be reached, by whom and when.",
    "runs": "Runs of goals.",
    "dags": "Goals in plain words, and the plans made of them.",
    "executions": "Executions of DAGs.",
    "agents": "Named, versioned system prompts.",
    "tools": "What steps can call.",
    "schedules": "When goals are pursued by themselves.",
    "costs": "What was spent.",
    "artifacts": "The files that steps have written.",
    "tasks": "Single tasks for an agent, with files.",
    "experiments": "One goal planned by several models and temperatures.",
    "events": "Everything that happens, as it happens.",
}
"""Modules of this package, and what their commands are about."""
