"""Agents: named, versioned system prompts."""

from __future__ import annotations

from contracts.api.agents import AgentCreate, AgentPatch, AgentRow
from contracts.client.http import Http, path

AGENTS = "agents"


class Agents:
    """What can be asked about agents."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, *, name: str | None = None, active: bool | None = None) -> list[AgentRow]:
        """Newest first; each version is one."""
        return await self._http.get(list[AgentRow], path(AGENTS), name=name, active=active)

    async def get(self, agent_id: str) -> AgentRow:
        """One version, active or not."""
        return await self._http.get(AgentRow, path(AGENTS, agent_id))

    async def resolve(self, name: str) -> AgentRow:
        """The active version of a name."""
        return await self._http.get(AgentRow, path(AGENTS, "resolve", name))

    async def create(self, agent: AgentCreate, *, key: str | None = None) -> AgentRow:
        """A new version, inactive."""
        return await self._http.send(AgentRow, "POST", path(AGENTS), agent, key)

    async def update(self, agent_id: str, changes: AgentPatch) -> AgentRow:
        """Change a version."""
        return await self._http.send(AgentRow, "PATCH", path(AGENTS, agent_id), changes)

    async def activate(self, agent_id: str) -> AgentRow:
        """Make it the active version of its name."""
        return await self._http.send(AgentRow, "POST", path(AGENTS, agent_id, "activate"))

    async def delete(self, agent_id: str) -> None:
        """Refused while it is active."""
        await self._http.call("DELETE", path(AGENTS, agent_id))
