"""Heartbeats of executors and progress of tools: messages to gateways and planners that are never stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

INTERVAL_S = 2.0
"""Seconds between two heartbeats of an executor."""
SILENCE_S = 10.0
"""An executor without a heartbeat for this many seconds counts as gone."""


class ExecutorAlive(BaseModel):
    """The heartbeat of one executor process."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance: str
    capacity: int = Field(ge=0)
    """Maximum number of runs at once."""
    tools: tuple[str, ...] | None = None
    """Names of the tools that the executor can call; null: unknown."""


class ToolProgress(BaseModel):
    """Progress of a tool in one step of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["progress", "completed"]
    tool: str
    message: str
    step: str
    """Id of the sub-task of a plan, or `<turn>.<position>` for a tool call of an agent."""


class Executors:
    """The executors that are alive. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heartbeats: dict[ExecutorAlive, float] = {}
        self._first = 0.0
        """Time of the first heartbeat after a time without executors."""

    def record_heartbeat(self, payload: bytes) -> None:
        """Take in one heartbeat.

        Raises:
            ValueError: the message is not valid.
        """
        executor = ExecutorAlive.model_validate_json(payload)
        if not self.alive():
            self._first = self._clock()
        self._heartbeats[executor] = self._clock()

    def alive(self) -> tuple[ExecutorAlive, ...]:
        """Executors with a heartbeat within SILENCE_S. One whose tools or capacity changed is listed twice
        until its old heartbeat expires.
        """
        since = self._clock() - SILENCE_S
        self._heartbeats = {executor: at for executor, at in self._heartbeats.items() if at > since}
        return tuple(self._heartbeats)

    def offered(self) -> frozenset[str] | None:
        """Names of the tools that the alive executors can call; None while the tools of one are unknown.

        The result is None until SILENCE_S after the first heartbeat, when all executors have reported.
        """
        alive = self.alive()
        if not alive or self._clock() - self._first < SILENCE_S:
            return None
        told = [one.tools for one in alive if one.tools is not None]
        return frozenset(name for tools in told for name in tools) if len(told) == len(alive) else None
