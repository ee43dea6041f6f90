"""The state of a goal run, and the steps that follow from it.

The steps of a goal run are not known in advance. The tool calls of a turn follow the turn, the next turn
follows the last result, and the summary follows the last turn.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from contracts.core.event import Json
from contracts.domain.memory import Memory
from contracts.domain.plan import SubTask, ToolOrPrompt
from contracts.domain.run.events import OutcomeReason, Output
from contracts.domain.run.fork_events import Inherited, InheritedTurn
from contracts.domain.run.goal_events import (
    SUMMARY,
    Call,
    CallAnswered,
    GoalRequested,
    GoalStarted,
    TurnTaken,
    call_step,
)
from contracts.domain.run.steps import Step


@dataclass(frozen=True, slots=True)
class CallResult:
    """The result of a tool call, or its error, which the model sees."""

    result: Json = None
    error: str | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model, with the results of its tool calls so far."""

    taken: TurnTaken
    answers: Mapping[int, CallResult] = field(default_factory=dict)
    """Results by position of the call. The result of a refused call is its refusal."""

    @property
    def number(self) -> int:
        """Number of the turn, from 1."""
        return self.taken.turn

    @property
    def is_answered(self) -> bool:
        """Whether every tool call has a result."""
        return len(self.answers) == len(self.taken.calls)

    @property
    def is_finished(self) -> bool:
        """Whether the model finished with this turn."""
        taken = self.taken
        return taken.finish_reason == "stop" and not taken.calls and taken.problem is None


@dataclass(frozen=True, slots=True)
class Loop:
    """The state of a goal run that the next turn needs."""

    request: GoalRequested
    started: GoalStarted | None = None
    memories: tuple[Memory, ...] | None = None
    """Memories that the agent begins with; None before the first start."""
    turns: tuple[Turn, ...] = ()
    summary: str | None = None
    summary_cut: bool = False
    """Whether max_tokens or a content filter cut the summary short."""
    error: str | None = None
    """Why the run failed."""
    outcome_reason: OutcomeReason | None = None
    """Why the run ended; None before its end."""
    resumed_after: int = 0
    """Number of turns whose calls had all ended when the run was last resumed; 0: it was not resumed."""

    @property
    def is_over(self) -> bool:
        """Whether no further turn follows."""
        if not self.turns:
            return False
        last = self.turns[-1]
        if last.number >= self.request.step_budget:
            return True
        since = self.turns[self.resumed_after :]
        return bool(since) and (last.is_finished or _are_unusable(since[-2:]))

    @property
    def is_stuck(self) -> bool:
        """Whether the last two answers were unusable."""
        return _are_unusable(self.turns[-2:])

    def call(self, step: str) -> Call:
        """The tool call of a step."""
        turn, _, position = step.partition(".")
        return self.turns[int(turn) - 1].taken.calls[int(position)]

    def with_turn(self, taken: TurnTaken) -> Loop:
        """The loop after an answer of the model."""
        refused = {n: CallResult(error=call.refusal) for n, call in enumerate(taken.calls) if call.refusal}
        return replace(self, turns=(*self.turns, Turn(taken, refused)))

    def with_answer(self, step: str, answer: CallResult) -> Loop:
        """The loop after the final result or error of a tool call of the last turn."""
        last = self.turns[-1]
        answers = {**last.answers, int(step.partition(".")[2]): answer}
        return replace(self, turns=(*self.turns[:-1], replace(last, answers=answers)))

    def inheriting(self, inherited: Inherited) -> Loop:
        """The loop of a fork, after the turns of the original."""
        turns = tuple(_inherited(n, turn) for n, turn in enumerate(inherited.turns, start=1))
        return replace(self, turns=turns, memories=inherited.memories)

    def resumed(self) -> Loop:
        """The loop of a resumed run: it has not ended, and a turn can follow the last one."""
        answered = sum(turn.is_answered for turn in self.turns)
        open_again = replace(self, error=None, outcome_reason=None, summary=None, summary_cut=False)
        return replace(open_again, resumed_after=answered)

    def next_step(self) -> Step:
        """The step after the last turn and its tool calls: another turn, or the summary."""
        if self.is_over:
            return _step(SUMMARY, "inference", SUMMARY)
        return _step(str(len(self.turns) + 1), "inference", "turn")

    def calls(self) -> tuple[Step, ...]:
        """The steps of the tool calls of the last turn that have no result."""
        last = self.turns[-1]
        return tuple(
            _step(call_step(last.number, n), "tool", call.name, call.arguments)
            for n, call in enumerate(last.taken.calls)
            if n not in last.answers
        )


def _are_unusable(turns: Sequence[Turn]) -> bool:
    """Whether these are two unusable answers."""
    return len(turns) > 1 and all(turn.taken.problem for turn in turns)


def call_result_of(event: CallAnswered) -> CallResult:
    """The result in `event`."""
    return CallResult(result=event.result, output=event.output)


def _inherited(number: int, turn: InheritedTurn) -> Turn:
    taken = TurnTaken(
        turn=number,
        attempt=0,
        thought=turn.thought,
        calls=turn.calls,
        finish_reason=turn.finish_reason,
        problem=turn.problem,
    )
    return Turn(taken, {one.position: CallResult(one.result, one.error, one.output) for one in turn.answers})


def _step(
    id_: str, action: Literal["tool", "inference"], name: str, params: Mapping[str, Json] | None = None
) -> Step:
    task = SubTask.model_construct(
        id=id_,
        description="",
        thought="",
        action_type=action,
        tool_or_prompt=ToolOrPrompt.model_construct(name=name, params=dict(params or {})),
        expected_output="",
        dependencies=(),
    )
    return Step(task, needs=())
