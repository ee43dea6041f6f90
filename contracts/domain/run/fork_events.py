"""Events of forks: runs that begin with the results of another run.

Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from contracts.core.event import Event, Json
from contracts.core.spent import Spent
from contracts.domain.memory import Memory
from contracts.domain.run.events import Output
from contracts.domain.run.goal_events import Call


@dataclass(frozen=True, slots=True)
class InheritedStep:
    """The result of a step of a plan that the fork does not run.

    It is not a model, because a fork may make thousands, and a model takes five times as long to create.
    """

    step: str
    result: Json = None
    """The value, or `{"$blob": …}` if it is large. The fork shares large values with the original."""
    given: bool = False
    """Whether the result was given with the fork; otherwise it is that of the original."""
    output: Annotated[Output | None, Field(exclude_if=operator.not_)] = None
    """What the step of the original left outside."""


class InheritedAnswer(BaseModel):
    """The result of a tool call that the fork does not make."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    position: int
    """Position of the call in the turn, from 0."""
    result: Json = None
    """The value, or `{"$blob": …}` if it is large."""
    error: str | None = None
    """Why the call failed; null: it succeeded."""
    given: bool = False
    """Whether the result was given with the fork."""
    output: Output | None = Field(default=None, exclude_if=operator.not_)
    """What the call of the original left outside."""


class InheritedTurn(BaseModel):
    """A turn of an agent that the fork does not take. Calls without an answer are made by the fork."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    thought: str
    calls: tuple[Call, ...] = ()
    finish_reason: str
    problem: str | None = None
    answers: tuple[InheritedAnswer, ...] = ()


class Inherited(Event):
    """The run is a fork, and begins with these results of another run. They cost it nothing.

    What these steps left outside, such as files, is an output of the fork, too. Older events do not say it.
    """

    type: ClassVar[str] = "run.inherited"
    offloaded: ClassVar[frozenset[str]] = frozenset({"steps", "turns", "memories"})
    steps: tuple[InheritedStep, ...] = ()
    """Results of the steps of a plan."""
    turns: tuple[InheritedTurn, ...] = ()
    """Turns of an agent, from the first."""
    untrusted: tuple[str, ...] = ()
    """Inherited steps, turns and calls whose results are from outside, or made of something from outside."""
    memories: tuple[Memory, ...] | None = None
    """Memories that the agent of the original began with; null: it had not started."""
    trusted_files: tuple[str, ...] = Field(default=(), exclude_if=operator.not_)
    """Paths of the files that the original has written, from trusted values only."""
    spent: Spent | None = None
    """What models had cost the original, if the fork replaces it: it counts for the budget of the fork. Null:
    the fork begins with its whole budget."""
    worked_ms: int = Field(default=0, exclude_if=operator.not_)
    """Milliseconds that the original has been running, if the fork replaces it: they count for its budget."""
    counted_steps: int = Field(default=0, exclude_if=operator.not_)
    """Steps that the original has started, if the fork replaces it: they count for its budget. A step that
    has not completed does not count, because the fork runs it again, as a retry."""
