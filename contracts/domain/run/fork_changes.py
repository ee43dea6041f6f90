"""What a fork changes, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from contracts.core.aggregate import DomainError
from contracts.core.event import Json
from contracts.core.suggestions import did_you_mean
from contracts.domain.budget import Budget
from contracts.domain.plan.placeholders import id_key
from contracts.domain.run.events import Output
from contracts.domain.run.state import State, Status

STOPPED = frozenset({Status.SUSPENDED, Status.COMPLETED, Status.FAILED, Status.CANCELLED})
"""Statuses of runs in which nothing happens by itself."""
SHOWN = 20
"""Maximum number of ids that a message lists."""


class InvalidFork(DomainError):
    """The run cannot be forked with these changes. `path` is the field of the request."""

    def __init__(self, path: tuple[str, ...], message: str) -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Given:
    """A result given by hand."""

    value: Json


@dataclass(frozen=True, slots=True)
class StepChange:
    """The changes of one step, or of one call of a turn."""

    params: dict[str, Json] | None = None
    """All parameters of the tool or inference."""
    agent: str | None = None
    """Name of the agent of an inference."""
    instruction: str | None = None
    """The instruction of an inference, or of the report."""
    result: Given | None = None
    """The result; the step does not run."""

    def named(self) -> tuple[str, ...]:
        """Names of the fields that are given."""
        names = ("params", "agent", "instruction", "result")
        return tuple(name for name in names if getattr(self, name) is not None)


@dataclass(frozen=True, slots=True)
class Changes:
    """All changes of a fork."""

    start: tuple[str, ...] = ()
    """Steps or turns from which the fork runs again."""
    steps: Mapping[str, StepChange] = field(default_factory=dict)
    instruction: str | None = None
    """The objective of a goal run."""
    agent: str | None = None
    """Name of the agent of all inferences that run again; for a goal run, the id of the agent."""
    provider: str | None = None
    model: str | None = None
    step_budget: int | None = None
    """Maximum number of turns of a goal run, including the inherited ones."""
    budget: Budget | None = None
    """Limits of the fork that replace those of the original one by one."""

    @property
    def names_model(self) -> bool:
        """Whether the agent or model of the inferences changes."""
        return bool(self.agent or self.provider or self.model)

    @property
    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (self.start or self.steps or self.instruction or self.names_model or self.step_budget)


def budget_of(state: State, changes: Changes) -> Budget | None:
    """What the fork of a run may spend: what the run may spend now, or what the changes say."""
    return state.budget.with_limits(changes.budget) if state.budget else changes.budget


def inherited_output(output: Output | None) -> Output | None:
    """The output of a step as an output of the fork that inherits the step."""
    return output and output.model_copy(update={"inherited": True})


def trusted_files(state: State, *, replaces: bool) -> tuple[str, ...]:
    """Paths of the files of a run that its fork trusts.

    Empty if the run may go on beside the fork, because it could replace a file by something from outside.
    """
    if state.status not in STOPPED and not replaces:
        return ()
    for step in state.running:  # it may be writing
        state = state.having_written(step)
    return tuple(sorted(state.trusted_files))


def resolved(path: tuple[str, ...], given: str, known: Mapping[str, object]) -> str:
    """The id of a step as the run spells it. `1` also means `001`.

    Raises:
        InvalidFork: there is no such step.
    """
    if given in known:
        return given
    by_key = {id_key(one): one for one in known}
    if found := by_key.get(id_key(given)):
        return found
    names, more = list(known)[:SHOWN], len(known) - SHOWN
    listed = f"; it has {', '.join(names)}" + (f" and {more} more" if more > 0 else "") if known else ""
    raise InvalidFork(path, f"the run has no step {given[:80]!r}{did_you_mean(given, known) or listed}")


def require_settled(state: State, again: Collection[str]) -> None:
    """Raises InvalidFork if a call of `again` is in progress and must not be repeated."""
    if state.status is not Status.RUNNING:
        return
    for step in state.running:
        if step in again and not state.is_repeatable(step):
            tool = state.graph.steps[step].task.tool_or_prompt.name
            why = f"step {step} ({tool}) is in progress and must not happen twice"
            raise InvalidFork((), f"{why}: wait until it has ended, or cancel the run first")
