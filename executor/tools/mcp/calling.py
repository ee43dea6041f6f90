"""Calls a tool of an MCP server, again with the answers as long as the server answers with questions."""

from __future__ import annotations

from mcp.client.session import ClientSession
from mcp.shared.dispatcher import ProgressFnT
from mcp_types import (
    CallToolResult,
    ElicitRequest,
    ElicitRequestParams,
    InputRequest,
    InputRequiredResult,
    InputResponses,
)

from contracts.core.event import Json
from contracts.core.outcome import Reject
from executor.tools.mcp.conversation import Conversation

MAX_ROUNDS = 10
"""Maximum number of times that a server answers one call with questions."""


async def called(
    session: ClientSession,
    tool: str,
    arguments: dict[str, Json],
    tell: ProgressFnT,
    longest_s: float,
    asking: Conversation,
) -> CallToolResult:
    """Call a tool. Its questions are asked in `asking`.

    Raises:
        Reject: the server requests something else than an answer, or asks too often.
        MCPError: the call failed.
    """
    responses: InputResponses | None = None
    state: str | None = None
    for _ in range(MAX_ROUNDS):
        result = await session.call_tool(
            tool,
            arguments,
            longest_s,
            progress_callback=tell,
            input_responses=responses,
            request_state=state,
            allow_input_required=True,
        )
        if not isinstance(result, InputRequiredResult):
            return result
        requests = result.input_requests or {}
        responses = {key: await asking.ask(_question(one)) for key, one in requests.items()}
        state = result.request_state
    raise Reject(f"{tool} has asked {MAX_ROUNDS} times and not come to an end")


def _question(request: InputRequest) -> ElicitRequestParams:
    if isinstance(request, ElicitRequest):
        return request.params
    raise Reject(f"the server requests {request.method}, which is not supported")
