"""Signs of life of executors and progress of tools: messages that gateways and planners get, never stored."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

INTERVAL_S = 2.0
"""Seconds between two such messages of one executor."""
SILENCE_S = 10.0
"""Seconds without one, after which an executor counts as gone."""


class ExecutorAlive(BaseModel):
    """One executor process."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    instance: str
    capacity: int = Field(ge=0)
    """Maximum number of runs at once."""
    tools: tuple[str, ...] | None = None
    """Names of the tools it can call; null if it does not say."""


class ToolProgress(BaseModel):
    """Progress of a tool in one step of a run."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["progress", "completed"]
    tool: str
    message: str
    step: str
    """Id of the sub-task of the plan, or `<turn>.<position>` of a tool call of an agent."""


class Executors:
    """The executors that reported lately. `clock` returns seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._heard: dict[ExecutorAlive, float] = {}
        self._first = 0.0
        """When the first was heard after there had been none."""

    def hear(self, payload: bytes) -> None:
        """One sign of life.

        Raises:
            ValueError: the message is not valid.
        """
        executor = ExecutorAlive.model_validate_json(payload)
        if not self.alive():
            self._first = self._clock()
        self._heard[executor] = self._clock()

    def alive(self) -> tuple[ExecutorAlive, ...]:
        """Those heard of within SILENCE_S; one that changed counts as two for so long."""
        since = self._clock() - SILENCE_S
        self._heard = {executor: at for executor, at in self._heard.items() if at > since}
        return tuple(self._heard)

    def offered(self) -> frozenset[str] | None:
        """Names of the tools that the living can call; None as long as that is not known of every one.

        It is known SILENCE_S after the first was heard: by then all others were heard too.
        """
        alive = self.alive()
        if not alive or self._clock() - self._first < SILENCE_S:
            return None
        told = [one.tools for one in alive if one.tools is not None]
        return frozenset(name for tools in told for name in tools) if len(told) == len(alive) else None
