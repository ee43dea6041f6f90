"""The decision to resume a run. Pure."""

from __future__ import annotations

from contracts.core.aggregate import DomainError
from contracts.core.event import Event
from contracts.domain.run.events import OutcomeReason, Resumed
from contracts.domain.run.loop import Loop
from contracts.domain.run.state import State, Status, require_known

REOPENED: frozenset[OutcomeReason] = frozenset({"calls_failed", "nothing_done"})
"""Outcomes after which the agent takes another turn: its tool calls failed."""


class CannotResume(DomainError):
    """Only a suspended run, a failed goal run, or a goal run that ended with failed calls can be resumed."""


def resume(state: State) -> list[Event]:
    """Resume a run where it stopped: a suspended run, or a goal run that failed or ended with failed calls.

    Raises:
        UnknownRun: there is no such run.
        CannotResume: the run is in another state. The message says what to do instead.
    """
    require_known(state)
    if refusal := _refusal(state):
        raise CannotResume(refusal)
    return [Resumed()]


def _refusal(state: State) -> str | None:
    """Why the run cannot be resumed; None if it can."""
    match state.status:
        case Status.SUSPENDED | Status.FAILED:
            return None
        case Status.CANCELLED if state.replaced_by:
            return f"the run was replaced by {state.replaced_by}"
        case Status.CANCELLED:
            return "the run was cancelled, which is final: fork it, or start another"
        case Status.WAITING:
            return "the run waits for a person: answer its question"
        case Status.COMPLETED:
            return _why_over(state.loop) if state.loop else "the run is completed: fork it, or start another"
    return f"the run is {state.status}; only a suspended or failed one can be resumed"


def _why_over(loop: Loop) -> str | None:
    """Why a completed goal run cannot go on; None if it can."""
    if loop.outcome_reason not in REOPENED:
        return f"the run is completed ({loop.outcome_reason}): fork it, or start another"
    if len(loop.turns) >= loop.request.step_budget:
        return f"the run has used all its {len(loop.turns)} turns: fork it with a larger stepBudget"
    return None
