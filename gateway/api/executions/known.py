"""Decides which runs are executions."""

from __future__ import annotations

from contracts.domain import dag, run


def require_execution(state: run.State, plan: dag.State) -> None:
    """Require that a run executes a plan, or waits for `plan`. Raises UnknownRun otherwise."""
    if state.request is None and (plan.request is None or state.status is run.Status.DELETED):
        raise run.UnknownRun("there is no such execution")
