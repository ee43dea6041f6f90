"""The agent loop of a goal run as it stands, and the steps that it grows as it goes.

Unlike a plan, a goal run does not know its steps beforehand: a turn sets free its tool calls, the last answer
sets free the next turn, and after the last turn comes the summary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from contracts.core.event import Json
from contracts.domain.plan import SubTask, ToolOrPrompt
from contracts.domain.run.events import OutcomeReason, Output
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

CUT_SHORT = frozenset({"length", "content_filter"})
"""Finish reasons of an answer that the model did not end by itself."""


@dataclass(frozen=True, slots=True)
class CallResult:
    """What came of a tool call: a result, or an error that the model is told."""

    result: Json = None
    error: str | None = None
    output: Output | None = None


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model, with what came of its calls so far."""

    taken: TurnTaken
    answers: Mapping[int, CallResult] = field(default_factory=dict)
    """By position of the call. A refused call is answered by its refusal."""

    @property
    def number(self) -> int:
        """From 1."""
        return self.taken.turn

    @property
    def is_answered(self) -> bool:
        """Whether every call has its answer."""
        return len(self.answers) == len(self.taken.calls)

    @property
    def says_done(self) -> bool:
        """Whether the model ended here by itself."""
        taken = self.taken
        return taken.finish_reason == "stop" and not taken.calls and taken.problem is None


@dataclass(frozen=True, slots=True)
class Loop:
    """Everything that the next turn needs."""

    request: GoalRequested
    started: GoalStarted | None = None
    turns: tuple[Turn, ...] = ()
    summary: str | None = None
    summary_cut: bool = False
    """The summary stops where max_tokens or a content filter ended it."""
    error: str | None = None
    """Why it could not go on."""
    outcome_reason: OutcomeReason | None = None
    """Why it ended; None before it has."""

    @property
    def is_over(self) -> bool:
        """Whether no turn follows those taken."""
        if not self.turns:
            return False
        last = self.turns[-1]
        return last.says_done or last.number >= self.request.step_budget or self.is_stuck

    @property
    def is_stuck(self) -> bool:
        """Whether the model was told what is wrong with its answer, and has given such an answer again."""
        return len(self.turns) > 1 and all(turn.taken.problem for turn in self.turns[-2:])

    def call(self, step: str) -> Call:
        """The tool call that the step makes."""
        turn, _, position = step.partition(".")
        return self.turns[int(turn) - 1].taken.calls[int(position)]

    def with_turn(self, taken: TurnTaken) -> Loop:
        """After the model has answered."""
        refused = {n: CallResult(error=call.refusal) for n, call in enumerate(taken.calls) if call.refusal}
        return replace(self, turns=(*self.turns, Turn(taken, refused)))

    def with_answer(self, step: str, answer: CallResult) -> Loop:
        """After a tool call of the last turn has succeeded or failed for good."""
        last = self.turns[-1]
        answers = {**last.answers, int(step.partition(".")[2]): answer}
        return replace(self, turns=(*self.turns[:-1], replace(last, answers=answers)))

    def next_step(self) -> Step:
        """What follows when nothing of the last turn is left to be done."""
        if self.is_over:
            return _step(SUMMARY, "inference", SUMMARY)
        return _step(str(len(self.turns) + 1), "inference", "turn")

    def calls(self) -> tuple[Step, ...]:
        """The steps that make the calls of a turn just taken."""
        taken = self.turns[-1].taken
        return tuple(
            _step(call_step(taken.turn, n), "tool", call.name, call.arguments)
            for n, call in enumerate(taken.calls)
            if not call.refusal
        )


def call_result_of(event: CallAnswered) -> CallResult:
    """What a call that succeeded gave."""
    return CallResult(result=event.result, output=event.output)


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
