"""Agents: named, versioned system prompts."""

from __future__ import annotations

from contracts.api.agents import AgentCreate, AgentPatch, AgentRow
from contracts.client.http import Http, path

AGENTS = "agents"


class Agents:
    """Requests about agents."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, *, name: str | None = None, active: bool | None = None) -> list[AgentRow]:
        """List agents, newest first. Each version is one agent."""
        return await self._http.get(list[AgentRow], path(AGENTS), name=name, active=active)

    async def get(self, agent_id: str) -> AgentRow:
        """Get one version."""
        return await self._http.get(AgentRow, path(AGENTS, agent_id))

    async def resolve(self, name: str) -> AgentRow:
        """Get the active version of a name."""
        return await self._http.get(AgentRow, path(AGENTS, "resolve", name))

    async def create(self, agent: AgentCreate, *, key: str | None = None) -> AgentRow:
        """Create a version. A new version is inactive."""
        return await self._http.send(AgentRow, "POST", path(AGENTS), agent, key)

    async def update(self, agent_id: str, changes: AgentPatch) -> AgentRow:
        """Change a version."""
        return await self._http.send(AgentRow, "PATCH", path(AGENTS, agent_id), changes)

    async def activate(self, agent_id: str) -> AgentRow:
        """Make a version the active one of its name."""
        return await self._http.send(AgentRow, "POST", path(AGENTS, agent_id, "activate"))

    async def delete(self, agent_id: str) -> None:
        """Delete a version. Raises Refused if it is active."""
        await self._http.call("DELETE", path(AGENTS, agent_id))
