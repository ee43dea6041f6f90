"""Writes the shared budget to the log.

All calls of all processes change the same aggregate. So that they do not wait for one another, the decisions
that arrive while a commit is written are put into the next commit.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import structlog

from contracts.core.event import Event
from contracts.domain.shared_budget import BUDGET, LimitReached, State, Warned
from contracts.runtime.log import Log
from contracts.runtime.nats.retry import pauses
from contracts.runtime.stream import Origin, Stream, TooManyConflicts

logger = structlog.get_logger(__name__)

TOGETHER = 64
"""Maximum number of decisions in one commit."""
FLUSH_S = 5.0
"""Maximum seconds that closing waits for decisions that are not written yet."""

Decide = Callable[[State], Sequence[Event]]
"""A decision about a month. It may raise LimitReached."""


@dataclass(eq=False, slots=True)
class _Entry:
    """A decision that waits to be written."""

    month: str
    decide: Decide
    done: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    refused: LimitReached | None = None

    def end(self, error: Exception | None) -> None:
        """Tell whoever waits, who may have been cancelled."""
        if self.done.done():
            return
        if error := error or self.refused:
            self.done.set_exception(error)
        else:
            self.done.set_result(None)


class Ledger:
    """The shared budget as one process writes it. It does nothing until the first decision."""

    def __init__(self, log: Log, origin: Origin) -> None:
        self._log = log
        self._origin = origin
        self._months: dict[str, Stream[State]] = {}
        self._waiting: list[_Entry] = []
        self._writer: asyncio.Task[None] | None = None
        self._later: set[asyncio.Task[None]] = set()

    async def decide(self, month: str, decide: Decide) -> None:
        """Write what `decide` returns for the current state of a month.

        Raises:
            LimitReached: `decide` raised it.
            Unavailable: the log could not be reached. The decision may have been written.
        """
        entry = _Entry(month, decide)
        self._waiting.append(entry)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write())
        await entry.done

    def run_later(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work`, which writes a decision that nobody waits for."""
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._ended)

    async def aclose(self) -> None:
        """Wait a little for the decisions that are not written yet."""
        tasks = [*self._later, *([self._writer] if self._writer else [])]
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=FLUSH_S)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._later.discard(task)
        if not task.cancelled() and (error := task.exception()):
            logger.error("a decision about the budget is lost", error=str(error), exc_info=error)

    async def _write(self) -> None:
        while self._waiting:
            month = self._waiting[0].month
            batch = [entry for entry in self._waiting if entry.month == month][:TOGETHER]
            self._waiting = [entry for entry in self._waiting if entry not in batch]
            try:
                await self._append(month, batch)
            except Exception as error:  # whoever waits handles it
                for entry in batch:
                    entry.end(error)
            else:
                for entry in batch:
                    entry.end(None)

    async def _append(self, month: str, batch: Sequence[_Entry]) -> None:
        """Write a batch. A refusal is not checked by the lock, so the newest commits are read first."""
        stream = await self._stream(month)
        for pause in pauses():
            await stream.refresh()
            with contextlib.suppress(TooManyConflicts):
                for event in await stream.decide(partial(_together, batch)):
                    if isinstance(event, Warned):
                        _warn(event)
                return
            await asyncio.sleep(pause)

    async def _stream(self, month: str) -> Stream[State]:
        if month not in self._months:
            opened = await Stream.open(self._log, BUDGET, month, self._origin)
            newest = max(self._months, default=month)
            kept = {newest: self._months[newest]} if newest in self._months else {}
            self._months = {**kept, month: opened}
        return self._months[month]


def _together(batch: Sequence[_Entry], state: State) -> Sequence[Event]:
    """The events of all decisions, each based on the ones before. Notes which were refused."""
    events: list[Event] = []
    for entry in batch:
        entry.refused = None
        if entry.done.cancelled():
            continue
        try:
            further = entry.decide(state)
        except LimitReached as refused:
            entry.refused = refused
        else:
            events += further
            state = BUDGET.fold(further, state)
    return events


def _warn(event: Warned) -> None:
    logger.warning(
        "80 % of a budget is spent",
        budget="system" if event.key is None else f"key:{event.key}",
        period=event.period,
        spent=event.spent,
        allowed=event.allowed,
    )
