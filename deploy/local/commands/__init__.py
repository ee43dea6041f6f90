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
}
"""Modules of this package, and what their commands are about."""
