"""What the runs of a goal leave for the next ones: notes, facts and artifacts.

Written by the executor only, one commit for each run that left something. The id is that of the goal. Every
commit repeats what is to be recalled, so that the newest one is all that a run has to read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.text import cut

RECALLED = 30
"""Memories that the next run is given at most: the newest."""
RECALLED_CHARS = 2000
"""Of one of them; the whole is in the log."""


class Kind(StrEnum):
    """What kind of memory."""

    NOTE = "note"
    """What a run says it has done."""
    FACT = "fact"
    """What an agent chose to remember."""
    ARTIFACT = "artifact"
    """The path of a file it wrote."""


class Memory(BaseModel):
    """One thing to remember."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Kind
    content: str
    run_id: str


class Kept(Event):
    """A run left these."""

    type: ClassVar[str] = "memory.kept"
    offloaded: ClassVar[frozenset[str]] = frozenset({"added", "recalled"})
    run_id: str
    added: tuple[Memory, ...]
    recalled: tuple[Memory, ...]
    """What the next run is given, oldest first; long ones are cut and say so."""


@dataclass(frozen=True, slots=True)
class State:
    """What the next run is given, oldest first."""

    recalled: tuple[Memory, ...] = ()
    runs: frozenset[str] = frozenset()
    """Those that left something, as far as their commits were folded."""


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    return State(event.recalled, state.runs | {event.run_id}) if isinstance(event, Kept) else state


MEMORY = Aggregate("memory", State(), evolve, lambda state: "kept" if state.recalled else "absent", (Kept,))


def keep(state: State, run_id: str, added: Sequence[Memory]) -> list[Event]:
    """Remember what a run left, once; what is remembered again counts as new.

    A run leaves something when it has ended, so `state` must hold all commits since then, and the newest.
    """
    if not added or run_id in state.runs:
        return []
    recalled: dict[tuple[Kind, str], Memory] = {}
    for one in (*state.recalled, *map(_short, added)):
        recalled.pop((one.type, one.content), None)
        recalled[one.type, one.content] = one
    return [Kept(run_id=run_id, added=tuple(added), recalled=tuple(recalled.values())[-RECALLED:])]


def as_section(memories: Iterable[Memory]) -> str:
    """As a model is told them: a heading and one line each; nothing when there are none."""
    lines = [f"- {memory.type.value}: {memory.content}" for memory in memories]
    return "\n".join(["# What earlier runs of this goal left", *lines]) if lines else ""


def _short(memory: Memory) -> Memory:
    return memory.model_copy(update={"content": cut(memory.content, RECALLED_CHARS)})
