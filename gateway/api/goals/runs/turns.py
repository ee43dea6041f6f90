"""A run by an agent's turns as the events that its clients see. Pure: no clock, no I/O."""

from __future__ import annotations

from collections.abc import Iterator

from contracts.api.fields import epoch_ms
from contracts.core.commit import Commit
from contracts.core.event import Event
from contracts.domain import run
from contracts.domain.prompts.observations import Observed, failure, shown_call
from contracts.domain.run import SUMMARY, Loop, Turn
from gateway.api.goals.runs.presenters import RUN_STATUS
from gateway.streams.narration import Told

Named = Iterator[tuple[str, Told]]
"""Events to be told: name and fields."""


class Turns:
    """Tells one run; a turn is a step, and has its tool calls."""

    def __init__(self) -> None:
        self._state = run.State()

    @property
    def is_known(self) -> bool:
        """Whether the run is there and was not deleted."""
        return self._state.status not in {run.Status.ABSENT, run.Status.DELETED}

    @property
    def standing(self) -> Told:
        """Where it stands."""
        loop, status = self._state.loop, self._state.status.value
        return {
            "status": RUN_STATUS.get(status, status),
            "stepsExecuted": len(loop.turns) if loop else 0,
            "stepBudget": loop.request.step_budget if loop else 0,
        }

    def naming(self, step: str) -> Told:
        """A call is named by its turn and its position in it."""
        turn, _, position = step.partition(".")
        named: Told = {"stepNo": int(turn)}
        return {**named, "position": int(position)} if position else named

    def tell(self, commit: Commit) -> Named:
        """What clients see of the next commit."""
        for event in commit.events:
            self._state = run.evolve(self._state, event)
            if self._state.loop:
                yield from self._told(event, self._state.loop)

    def _told(self, event: Event, loop: Loop) -> Named:
        match event:
            case run.GoalRequested():
                yield "run.created", self._headline(loop)
            case run.GoalStarted(agent=agent):
                yield "run.started", {**self._headline(loop), "agentName": agent.name, "tools": event.tools}
            case run.StepsStarted():
                yield from self._steps_started(event, loop)
            case run.TurnTaken():
                yield "step.thought", {"stepNo": event.turn, "thought": event.thought, "calls": _calls(event)}
                yield from self._completed(loop)
            case run.CallAnswered():
                fields = {"durationMs": event.duration_ms, "result": event.result}
                yield "call.completed", {**self._call(event.step, loop), **fields}
                yield from self._completed(loop)
            case run.StepFailed():
                yield from self._step_failed(event, loop)
            case _:
                yield from self._ended(event, loop)

    def _steps_started(self, event: run.StepsStarted, loop: Loop) -> Named:
        for step in event.steps:
            attempt = {"attempt": self._state.attempts[step]}
            if "." in step:
                yield "call.started", {**self._call(step, loop), **attempt}
            elif step != SUMMARY:
                yield "step.started", {**self.naming(step), **attempt}

    def _step_failed(self, event: run.StepFailed, loop: Loop) -> Named:
        if event.step == SUMMARY:
            return
        kind, named = (
            ("call", self._call(event.step, loop)) if "." in event.step else ("step", self.naming(event.step))
        )
        fields = {**named, "attempt": event.attempt, "error": event.error}
        if event.retry_at:
            yield f"{kind}.retrying", {**fields, "retryAt": epoch_ms(event.retry_at)}
            return
        yield f"{kind}.failed", fields
        if kind == "call":
            yield from self._completed(loop)

    def _completed(self, loop: Loop) -> Named:
        """That the last turn is over, if every call of it has its answer."""
        last = loop.turns[-1]
        if last.is_answered:
            yield "step.completed", {"stepNo": last.number, "thought": last.taken.thought, **_came_of(last)}
            yield "run.updated", self.standing

    def _ended(self, event: Event, loop: Loop) -> Named:
        match event:
            case run.GoalCompleted():
                fields = {
                    "durationMs": event.duration_ms,
                    "summary": loop.summary,
                    "outcomeReason": event.outcome_reason,
                }
                yield "run.completed", {**self.standing, **fields}
            case run.Failed():
                yield "run.failed", {**self.standing, "error": event.error}
            case run.Cancelled(reason=reason):
                fields = {"error": f"cancelled: {reason}", "cancelledReason": reason}
                yield "run.failed", {**self.standing, **fields}
            case run.Deleted():
                yield "run.deleted", {}

    def _headline(self, loop: Loop) -> Told:
        request = loop.request
        return {
            "goalId": request.goal_id,
            "objective": request.objective,
            "strategy": "agent",
            "stepBudget": request.step_budget,
        }

    def _call(self, step: str, loop: Loop) -> Told:
        return {**self.naming(step), "toolName": loop.call(step).name}


def _calls(taken: run.TurnTaken) -> list[Told]:
    return [
        {"position": n, "toolName": call.name, "toolInput": call.arguments, "error": call.refusal}
        for n, call in enumerate(taken.calls)
    ]


def _came_of(turn: Turn) -> Told:
    """The tool that stands for a turn, and the error of one of which every call failed."""
    observed = [
        Observed(turn.number, position, turn.taken.calls[position].name, {}, error=answer.error)
        for position, answer in turn.answers.items()
    ]
    shown = shown_call(observed)
    return {"toolName": shown.tool if shown else None, "error": failure(observed)}
