"""Memories: notes, facts and artifacts that the runs of a goal keep for later runs.

Only the executor writes them, one commit per run with memories. The aggregate id is the id of the goal. Every
commit repeats the memories to recall, so a run reads only the newest commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.text import cut
from contracts.core.untrusted import NOTICE, as_data

RECALLED = 30
"""Maximum number of memories that a run recalls: the newest ones."""
RECALLED_CHARS = 2000
"""Maximum characters of one recalled memory. The log keeps the whole text."""


class Kind(StrEnum):
    """The kind of a memory."""

    NOTE = "note"
    """The summary of a run."""
    FACT = "fact"
    """A fact that an agent stored with the tool `remember`."""
    ARTIFACT = "artifact"
    """The path of a file that a run wrote."""


class Memory(BaseModel):
    """One memory."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: Kind
    content: str
    run_id: str
    untrusted: bool = Field(default=True, exclude_if=bool)
    """Whether something from outside may be in it; true in older memories, which do not have this field."""


class Kept(Event):
    """A run added memories."""

    type: ClassVar[str] = "memory.kept"
    offloaded: ClassVar[frozenset[str]] = frozenset({"added", "recalled"})
    run_id: str
    added: tuple[Memory, ...]
    recalled: tuple[Memory, ...]
    """Memories that the next run recalls, oldest first; long ones are cut and marked as cut."""
    ending: int = 0
    """Number of earlier ends of the run, after which it was resumed."""


@dataclass(frozen=True, slots=True)
class State:
    """The memories of a goal."""

    recalled: tuple[Memory, ...] = ()
    """Memories that the next run recalls, oldest first."""
    ends: frozenset[tuple[str, int]] = frozenset()
    """Ends of runs with memories, among the folded commits: the id of the run, and the number of its earlier
    ends."""


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    if not isinstance(event, Kept):
        return state
    return State(event.recalled, state.ends | {(event.run_id, event.ending)})


MEMORY = Aggregate("memory", State(), evolve, lambda state: "kept" if state.recalled else "absent", (Kept,))


def keep(state: State, run_id: str, added: Sequence[Memory], ending: int = 0) -> list[Event]:
    """Add the memories of a run, once for each of its ends. A repeated memory counts as new.

    A run adds its memories after its end, so `state` must include the newest commit and all since that end.
    """
    if not added or (run_id, ending) in state.ends:
        return []
    recalled: dict[tuple[Kind, str], Memory] = {}
    for one in (*state.recalled, *map(_short, added)):
        recalled.pop((one.type, one.content), None)
        recalled[one.type, one.content] = one
    newest = tuple(recalled.values())[-RECALLED:]
    return [Kept(run_id=run_id, added=tuple(added), recalled=newest, ending=ending)]


def as_section(memories: Iterable[Memory]) -> str:
    """The memories as text for a user message, marked as data: one line each; empty if there are none."""
    lines = [f"- {memory.type.value}: {memory.content}" for memory in memories]
    marked = as_data("\n".join(lines), "earlier runs of this goal")
    return f"# What earlier runs of this goal left\n{NOTICE}\n{marked}" if lines else ""


def _short(memory: Memory) -> Memory:
    return memory.model_copy(update={"content": cut(memory.content, RECALLED_CHARS)})
