"""Which operations of the API are MCP tools, and how they are described. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from mcp_types import Tool, ToolAnnotations

from contracts.core.event import Json
from contracts.openapi import Operation, operations

OFFERED = (
    "create_goal",
    "list_goals",
    "get_goal",
    "run_goal",
    "list_runs",
    "get_run_summary",
    "get_run",
    "list_steps",
    "list_outputs",
    "list_attempts_of_run",
    "cancel_run",
    "resume_run",
    "fork_run",
    "create_dag",
    "create_and_execute_dag",
    "clarify_dag",
    "execute_dag",
    "list_dags",
    "get_dag",
    "list_executions",
    "get_execution",
    "list_attempts_of_execution",
    "cancel_execution",
    "resume_dag",
    "fork_execution",
    "compare_runs",
    "list_asks",
    "get_ask",
    "answer_ask",
    "search_texts",
    "list_agents",
    "list_tools",
    "list_artifacts",
    "get_cost_summary",
)
"""Operations that are tools. Keys, deletions and settings are not: a model does not need them."""

WAIT = "wait_for_run"
INSTRUCTIONS = (
    "Async Agent runs goals in plain words. To do something once, call create_and_execute_dag, then "
    f"{WAIT} with the id of the execution. To let an agent pursue a goal, call create_goal and run_goal, "
    f"then {WAIT} with the id of the run. A run that waits needs a person: list_asks says what is asked."
)
WAIT_TOOL = Tool(
    name=WAIT,
    title="Wait for the end of a run",
    description=(
        "Wait until an execution or a run of a goal ends or needs a person. Return it with its result. "
        "Reports progress meanwhile. After `timeout_s` seconds it returns the run as it is; call it again to "
        "go on waiting."
    ),
    input_schema={
        "type": "object",
        "properties": {
            "id": {"type": "string", "description": "Id of an execution or of a run."},
            "timeout_s": {"type": "number", "minimum": 1, "maximum": 3600, "default": 60},
        },
        "required": ["id"],
        "additionalProperties": False,
    },
    annotations=ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False),
)


def offered(document: Mapping[str, Json]) -> dict[str, Operation]:
    """The operations of the API that are tools, by name.

    Raises:
        Unreadable: `document` is not an OpenAPI document.
    """
    found = {one.name: one for one in operations(document)}
    return {name: found[name] for name in OFFERED if name in found}


def as_tool(operation: Operation) -> Tool:
    """The description of an operation for MCP clients."""
    title, _, _ = operation.description.partition("\n")
    return Tool(
        name=operation.name,
        title=title,
        description=operation.description,
        input_schema=dict(operation.parameters),
        annotations=ToolAnnotations(
            read_only_hint=operation.is_safe,
            destructive_hint=operation.name.startswith("cancel_"),
            idempotent_hint=operation.is_idempotent,
            open_world_hint=not operation.is_safe,
        ),
    )
