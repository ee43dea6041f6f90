"""A run that waits for its plan: it is there from the moment its plan is asked for, under its later id.

The planner asks for the run itself only when there is a plan. To call such a run off, or to delete it, is to
write the first event of it: the planner then finds that it has nothing left to ask for, whatever it was at.
"""

from __future__ import annotations

from contracts.core.event import Event
from contracts.core.ids import derived_id
from contracts.domain import dag, run

PLANLESS = frozenset({dag.Status.REJECTED, dag.Status.DELETED})
"""What becomes of a plan that its run waits for in vain."""


def plan_id(run_id: str) -> str:
    """The id of the DAG that is asked for in order to become that run."""
    return derived_id("", run_id, "plan")


def awaits(run_id: str, plan: dag.State) -> bool:
    """Whether that run was to be made of this plan."""
    return plan.request is not None and plan.request.run_id == run_id


def cancel(run_id: str, state: run.State, plan: dag.State, reason: str) -> list[Event]:
    """Call a run off, wherever it stands; twice is nothing.

    Raises:
        UnknownRun: there is no such run, and none was to be made of the plan.
        AlreadyFinished: it has ended, or no plan came of what it waited for.
    """
    if state.status is not run.Status.ABSENT:
        return run.cancel(state, reason)
    require_awaited(run_id, plan)
    if plan.status in PLANLESS:
        raise run.AlreadyFinished("the run is failed; there is nothing left to cancel")
    return [run.Cancelled(reason=reason)]


def delete(run_id: str, state: run.State, plan: dag.State) -> list[Event]:
    """Remove a run, wherever it stands.

    Raises:
        UnknownRun: there is no such run, and none was to be made of the plan.
    """
    if state.status is not run.Status.ABSENT:
        return run.delete(state)
    require_awaited(run_id, plan)
    return [run.Deleted()]


def require_awaited(run_id: str, plan: dag.State) -> None:
    """Raises UnknownRun for a run that was not to be made of this plan."""
    if not awaits(run_id, plan):
        raise run.UnknownRun("there is no such run")
