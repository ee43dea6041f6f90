"""Agents that requests name."""

from __future__ import annotations

from contracts.core.suggestions import did_you_mean
from contracts.domain.agent import Directory
from gateway.http.errors import Refusal

NO_AGENTS = (
    "the default agents do not exist yet: a planner creates them when it starts; "
    "start one with `async-agent run planner`"
)


def no_such_agent(status: int, error: str, name: str, agents: Directory) -> Refusal:
    """Return the refusal of a request that names an agent without an active version.

    It is temporary if a planner is about to create the agent.
    """
    if agents.awaits(name):
        return Refusal(503, f"{error}: {NO_AGENTS}", retry_after=1)
    return Refusal(status, f"{error}{did_you_mean(name, agents.names())}")
