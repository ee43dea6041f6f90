"""The state of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from posixpath import normpath
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from contracts.core.aggregate import DomainError
from contracts.core.event import Json
from contracts.core.spent import Charged
from contracts.core.tool import Effect
from contracts.domain.budget import Budget, Limit, Spending
from contracts.domain.outward import Ruling
from contracts.domain.run.asks import Asks
from contracts.domain.run.budget_events import BudgetReached
from contracts.domain.run.events import ForkedFrom, Output, Requested
from contracts.domain.run.fork_events import Inherited
from contracts.domain.run.goal_events import GoalRequested
from contracts.domain.run.loop import Loop
from contracts.domain.run.steps import Graph, Step


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    PENDING = "pending"
    RUNNING = "running"
    WAITING = "waiting"
    """For a person."""
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


Kind = Literal["plan", "agent"]
"""What a run executes: a plan, or the turns of an agent."""

OPEN = frozenset({Status.PENDING, Status.RUNNING, Status.WAITING, Status.SUSPENDED})
"""Statuses of runs that have not ended."""


class State(NamedTuple):
    """The state of a run: everything that is needed to continue it.

    It is a tuple because every event creates a new one, at a quarter of the cost of a data class.
    """

    status: Status = Status.ABSENT
    request: Requested | None = None
    """The request of a run of a plan."""
    loop: Loop | None = None
    """The turns of a goal run."""
    graph: Graph = Graph()
    executor: str | None = None
    started_at: datetime | None = None
    """Time of the last start or continuation; None for a run that was not started since its last resume."""
    synthesis: Literal["llm", "merge"] = "llm"
    done: Mapping[str, Json] = MappingProxyType({})
    """Results by step, for a run of a plan."""
    outputs_by_step: Mapping[str, Output] = MappingProxyType({})
    """Outputs of the steps of a plan, in the order of completion; inherited ones are first."""
    ready: tuple[str, ...] = ()
    """Steps that can start: their dependencies are completed."""
    running: Mapping[str, int] = MappingProxyType({})
    """Number of the attempt in progress, by step."""
    effects: Mapping[str, Effect] = MappingProxyType({})
    """What a second execution does, by step in progress, as recorded at its start."""
    rulings: Mapping[str, Ruling] = MappingProxyType({})
    """The decisions about calls that send something to others, by step in progress."""
    untrusted: frozenset[str] = frozenset()
    """Steps whose results are from outside, or made of something from outside."""
    trusted_files: frozenset[str] = frozenset()
    """Paths of the files that the run has written, from trusted values only."""
    retrying: Mapping[str, datetime] = MappingProxyType({})
    """Time of the next retry, by step."""
    failed: Mapping[str, str] = MappingProxyType({})
    """Final errors by step, for a run of a plan."""
    attempts: Mapping[str, int] = MappingProxyType({})
    """Number of attempts started, by step."""
    failures: Mapping[str, int] = MappingProxyType({})
    """Number of failed attempts since the last resume, by step."""
    takeovers: int = 0
    """Number of takeovers with steps in progress since the last completed step."""
    resumes: int = 0
    suspended: str | None = None
    """Why the run is suspended."""
    asks: Asks = Asks()
    """Questions to a person."""
    replaced_by: str | None = None
    """Id of the fork that replaces the run."""
    budget: Budget | None = None
    """What the run may spend."""
    spent: Spending = Spending()
    """What models have cost so far."""
    lost: Mapping[str, int] = MappingProxyType({})
    """Number of attempts to ask a model whose outcome is unknown, by step. Each counts as much as the next
    answer at the same step: the provider may have charged for it."""
    worked_ms: int = 0
    """Milliseconds that the run was running before its last start or continuation."""
    counted_steps: int = 0
    """Steps of the runs that this fork replaces, as they count for the budget."""
    over_budget: BudgetReached | None = None
    """The limit that forbids further steps."""
    warned: frozenset[Limit] = frozenset()
    """Limits that were warned about."""

    @property
    def kind(self) -> Kind:
        """What the run executes."""
        return "agent" if self.loop else "plan"

    @property
    def outputs(self) -> tuple[Output, ...]:
        """Outputs of the steps of a plan."""
        return tuple(self.outputs_by_step.values())

    def is_repeatable(self, step: str) -> bool:
        """Whether a step with an unknown outcome may run again automatically, by its recorded effect."""
        is_inference = self.graph.steps[step].task.is_inference
        return is_inference or self.effects.get(step, Effect.ONCE) is not Effect.ONCE

    def has_result(self, step: str) -> bool:
        """Whether a step of a plan, a turn or a call has ended with a result, or a call with an error."""
        if self.loop is None:
            return step in self.done
        number, _, position = step.partition(".")
        turns = {str(turn.number): turn for turn in self.loop.turns}
        return number in turns and (not position or int(position) in turns[number].answers)

    @property
    def approvals(self) -> tuple[str, ...]:
        """Names of the tools of which a person must approve each call."""
        if self.loop:
            return self.loop.request.approvals
        return self.request.job.approvals if self.request else ()

    def needs_approval(self, step: Step) -> bool:
        """Whether the plan or the goal says that a person must approve the tool call of a step."""
        task = step.task
        return task.approval or (task.tool_or_prompt.name in self.approvals and not task.is_inference)

    @property
    def is_to_continue(self) -> bool:
        """Whether the run waited for a person and goes on as soon as an executor is free."""
        return self.status is Status.PENDING and self.started_at is not None

    def inheriting(self, inherited: Inherited) -> State:
        """The state of a fork with what it inherits besides results."""
        return self._replace(
            untrusted=frozenset(inherited.untrusted),
            trusted_files=frozenset(inherited.trusted_files),
            spent=self.spent.plus(inherited.spent) if inherited.spent else self.spent,
            worked_ms=inherited.worked_ms,
            counted_steps=inherited.counted_steps,
        )

    def having_written(self, step: str, output: Output | None = None) -> State:
        """The state after a step ended that may have written a file.

        A trusted file is one that the run has replaced; one that it appended to may have been there before.
        After an untrusted step that may have written any file, none is trusted.
        """
        effect = self.effects.get(step, Effect.ONCE)
        if step in self.untrusted:
            is_harmless = effect is Effect.READ or self.graph.steps[step].task.is_inference
            return self if is_harmless or not self.trusted_files else self._replace(trusted_files=frozenset())
        if output is None or output.kind != "file" or effect is not Effect.IDEMPOTENT:
            return self
        return self._replace(trusted_files=self.trusted_files | {normpath(output.content)})

    def having_spent(self, charged: Charged, step: str) -> State:
        """The state after an answer of a model at a step."""
        spent = self.spent.plus(charged)
        if spent is self.spent:
            return self
        for _ in range(self.lost.get(step, 0)):
            spent = spent.plus(charged)
        return self._replace(spent=spent, lost={s: n for s, n in self.lost.items() if s != step})

    def having_lost(self, steps: Iterable[str]) -> Mapping[str, int]:
        """`lost` if the attempts in progress at `steps` have an unknown outcome."""
        asking = [step for step in steps if step in self.running and self.graph.steps[step].task.is_inference]
        return {**self.lost, **{step: self.lost.get(step, 0) + 1 for step in asking}} if asking else self.lost

    def without_running(self, step: str, **changes: Any) -> State:
        """The state after an attempt at `step` ended, with further changes in the same copy."""
        left = dict(self.running)  # several times as fast as a comprehension, for thousands of steps
        left.pop(step, None)
        return self._replace(running=left, **changes)

    @property
    def wanted(self) -> Requested | GoalRequested | None:
        """The request for the run; None if there is no such run."""
        return self.loop.request if self.loop else self.request

    @property
    def forked_from(self) -> ForkedFrom | None:
        """The run that this one is a fork of, or None."""
        return self.wanted.forked_from if self.wanted else None

    @property
    def goal_id(self) -> str | None:
        """The goal that the run belongs to, or None."""
        return self.wanted.goal_id if self.wanted else None


class UnknownRun(DomainError):
    """There is no such run."""


def require_known(state: State) -> None:
    """Raises UnknownRun if the run does not exist or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownRun("there is no such run")
