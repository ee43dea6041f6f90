"""Which runs are executions."""

from __future__ import annotations

from contracts.domain import dag, run


def require_execution(state: run.State, plan: dag.State) -> None:
    """Raises UnknownRun for a run that is not the execution of a plan and does not wait for this plan."""
    if state.request is None and (plan.request is None or state.status is run.Status.DELETED):
        raise run.UnknownRun("there is no such execution")
