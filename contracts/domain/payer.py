"""Who pays for the models that a run or the planning of a DAG asks. Pure.

It is the actor who asked for the work, or who last resumed it. A key pays from its budget. Who answers a
question does not pay, and a question that expires changes nothing. What a schedule starts is paid by the
client who last changed its goal or DAG, also by pausing or resuming it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from contracts.core.actors import is_service
from contracts.core.commit import Commit
from contracts.domain import dag, run

_PLANNING = (
    dag.AttemptStarted,
    dag.AttemptMade,
    dag.ClarificationAsked,
    dag.Clarified,
    dag.Planned,
    dag.Rejected,
)


def payer_of(history: Iterable[Commit]) -> str | None:
    """The actor who pays for a run or for the planning of a DAG; None: the commits name no actor."""
    payer: str | None = None
    for commit in history:
        for event in commit.events:
            if isinstance(event, run.Requested | run.GoalRequested | dag.Requested):
                payer = event.paid_by or commit.actor
            elif isinstance(event, run.Resumed):
                payer = commit.actor
    return payer


def payer_of_schedule(history: Sequence[Commit]) -> str | None:
    """The actor who pays for what the schedules of a goal or DAG start: the client who last changed it."""
    return next((commit.actor for commit in reversed(history) if _is_change(commit)), None)


def _is_change(commit: Commit) -> bool:
    """Whether a client changed a goal or DAG. To answer the question of a planner is no change."""
    return not is_service(commit.actor) and not all(isinstance(event, _PLANNING) for event in commit.events)
