"""Which executors are alive, from what they say of themselves."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from pydantic import ValidationError

from contracts.presence import SILENCE_S, ExecutorAlive

logger = structlog.get_logger(__name__)


class Executors:
    """The executors heard of lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: dict[str, tuple[float, ExecutorAlive]] = {}

    def hear(self, payload: bytes) -> None:
        """One message on EXECUTOR_ALIVE; one that is no such message is logged and passed over."""
        try:
            executor = ExecutorAlive.model_validate_json(payload)
        except ValidationError as error:
            logger.warning("not a sign of life of an executor", error=str(error))
            return
        self._heard[executor.instance] = (self._clock(), executor)

    def alive(self) -> tuple[ExecutorAlive, ...]:
        """Those heard of within SILENCE_S."""
        since = self._clock() - SILENCE_S
        self._heard = {name: heard for name, heard in self._heard.items() if heard[0] > since}
        return tuple(executor for _, executor in self._heard.values())
