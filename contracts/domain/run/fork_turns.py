"""The fork of a run by an agent. Pure."""

from __future__ import annotations

from contracts.domain.run.events import ForkedFrom
from contracts.domain.run.fork_changes import (
    Changes,
    InvalidFork,
    StepChange,
    budget_of,
    inherited_output,
    require_settled,
    resolved,
)
from contracts.domain.run.fork_events import Inherited, InheritedAnswer, InheritedTurn
from contracts.domain.run.goal_events import SUMMARY, GoalRequested, call_step
from contracts.domain.run.loop import Loop, Turn
from contracts.domain.run.state import State, Status
from contracts.domain.run.steps import CHECK_FIRST, unknown_outcome


def fork_turns(
    state: State, loop: Loop, changes: Changes, origin: ForkedFrom
) -> tuple[GoalRequested, Inherited]:
    """The first events of a fork: it inherits the turns before the change.

    Without `from` and `steps`, the fork goes on after the last turn; if the agent had finished, it takes the
    last turn again.

    Raises:
        InvalidFork: the changes do not fit the run.
    """
    if changes.is_empty and loop.is_over:
        advice = (
            "say what changes (instruction, agent, model, stepBudget, steps) or the turn to take again (from)"
        )
        raise InvalidFork((), f"the agent has finished: {advice}")
    kept = _kept(state, loop, changes)
    budget = changes.step_budget or loop.request.step_budget
    if budget <= len(kept) and changes.start != (SUMMARY,) and _is_answered(kept):
        least = len(kept) + 1
        raise InvalidFork(("stepBudget",), f"the fork inherits {len(kept)} turns: give at least {least}")
    require_settled(state, _made_again(kept))
    return (
        loop.request.model_copy(
            update={
                "objective": changes.instruction or loop.request.objective,
                "step_budget": budget,
                "agent_id": changes.agent or loop.request.agent_id,
                "provider": changes.provider or loop.request.provider,
                "model": changes.model or loop.request.model,
                "trigger": "api",
                "schedule_id": None,
                "paid_by": None,
                "budget": budget_of(state, changes),
                "forked_from": origin.model_copy(update={"steps": _named(changes, kept)}),
            }
        ),
        Inherited(turns=tuple(kept), untrusted=_untrusted(state, kept), memories=loop.memories),
    )


def _kept(state: State, loop: Loop, changes: Changes) -> list[InheritedTurn]:
    """The turns that the fork inherits."""
    if changes.steps:
        if changes.start:
            raise InvalidFork(
                ("from",), "give from or steps, not both: the turn after a changed call follows"
            )
        return _with_changed_calls(state, loop, changes)
    turns = [_inherited(state, turn) for turn in loop.turns]
    if not changes.start:
        return turns[:-1] if turns and loop.turns[-1].is_finished else turns
    if changes.start == (SUMMARY,) and loop.is_over:
        return turns
    return turns[: _turn_of(loop, changes) - 1]


def _turn_of(loop: Loop, changes: Changes) -> int:
    """The number of the turn that the fork takes again."""
    first, *others = changes.start
    last = len(loop.turns)
    if others or not first.isdecimal() or not 1 <= int(first) <= last + 1:
        turns = f"a turn from 1 to {last + 1}" + (", or 'summary'" if loop.is_over else "")
        raise InvalidFork(("from",), f"{', '.join(changes.start)[:80]!r} is no turn of the run: give {turns}")
    return int(first)


def _with_changed_calls(state: State, loop: Loop, changes: Changes) -> list[InheritedTurn]:
    known = {call_step(turn.number, n): turn for turn in loop.turns for n in range(len(turn.taken.calls))}
    steps = {resolved(("steps", id_), id_, known): one for id_, one in changes.steps.items()}
    for id_, change in steps.items():
        _require_fitting(id_, change, loop)
    numbers = {known[id_].number for id_ in steps}
    if len(numbers) > 1:
        message = "change calls of one turn only, because the turns after it are not inherited"
        raise InvalidFork(("steps",), message)
    (number,) = numbers
    turns = [_inherited(state, turn) for turn in loop.turns[:number]]
    for id_, change in steps.items():
        turns[-1] = _changed(turns[-1], int(id_.partition(".")[2]), change)
    return turns


def _require_fitting(id_: str, change: StepChange, loop: Loop) -> None:
    named = change.named()
    if len(named) != 1 or named[0] not in {"params", "result"}:
        raise InvalidFork(("steps", id_), "of a tool call, change either params or the result")
    if change.params is not None and (refusal := loop.call(id_).refusal):
        raise InvalidFork(("steps", id_, "params"), f"the call was refused, so it is not made: {refusal}")


def _inherited(state: State, turn: Turn) -> InheritedTurn:
    """The turn, with its results. Calls that a dead executor left and must not be repeated have an error."""
    answers = [
        InheritedAnswer(
            position=position,
            result=answer.result,
            error=answer.error,
            output=inherited_output(answer.output),
        )
        for position, answer in sorted(turn.answers.items())
    ]
    for step in state.running:
        number, _, position = step.partition(".")
        is_its_call = position and int(number) == turn.number
        if is_its_call and state.status is not Status.RUNNING and not state.is_repeatable(step):
            error = unknown_outcome(state.graph.steps[step], CHECK_FIRST)
            answers.append(InheritedAnswer(position=int(position), error=error))
    taken = turn.taken
    return InheritedTurn(
        thought=taken.thought,
        calls=taken.calls,
        finish_reason=taken.finish_reason,
        problem=taken.problem,
        answers=tuple(answers),
    )


def _changed(turn: InheritedTurn, position: int, change: StepChange) -> InheritedTurn:
    """The turn with other parameters of a call, which is made again, or with a given result."""
    answers = tuple(one for one in turn.answers if one.position != position)
    if change.result:
        given = InheritedAnswer(position=position, result=change.result.value, given=True)
        return turn.model_copy(update={"answers": (*answers, given)})
    call = turn.calls[position].model_copy(update={"arguments": change.params})
    calls = (*turn.calls[:position], call, *turn.calls[position + 1 :])
    return turn.model_copy(update={"answers": answers, "calls": calls})


def _is_answered(kept: list[InheritedTurn]) -> bool:
    return not kept or len(kept[-1].answers) == len(kept[-1].calls)


def _made_again(kept: list[InheritedTurn]) -> set[str]:
    """The calls of the last turn that the fork makes."""
    if not kept:
        return set()
    answered = {one.position for one in kept[-1].answers}
    return {call_step(len(kept), n) for n in range(len(kept[-1].calls)) if n not in answered}


def _untrusted(state: State, kept: list[InheritedTurn]) -> tuple[str, ...]:
    """The turns, and the calls with an inherited result, that are untrusted. A given result is trusted."""
    steps = [str(number) for number in range(1, len(kept) + 1)]
    for number, turn in enumerate(kept, start=1):
        steps += [call_step(number, one.position) for one in turn.answers if not one.given]
    return tuple(step for step in steps if step in state.untrusted)


def _named(changes: Changes, kept: list[InheritedTurn]) -> tuple[str, ...]:
    """Where the fork begins to differ."""
    return tuple(changes.steps) or changes.start or (str(len(kept) + 1),)
