"""Resumes runs of plans and of agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from contracts.core.event import Event
from contracts.domain import dag, run
from contracts.domain.dag import DAG
from contracts.domain.plan import SubTask
from contracts.domain.run import RUN
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.run_requests import plan_id
from contracts.runtime.stream import Origin, Stream, transact
from gateway.api.runs.models import goal_run_model_problem, run_model_problem
from gateway.gateway import Gateway
from gateway.http.errors import Refusal

Require = Callable[[run.State, dag.State], None]
"""Raises Refusal if a run cannot be resumed. Takes the run and the plan that it may wait for."""


async def resume(gateway: Gateway, run_id: str, origin: Origin, require: Require) -> Stream[run.State]:
    """Resume a run and wait a limited time for the views.

    Raises:
        Refusal: `require` refuses, or no model can be called for the remaining steps.
        CannotResume: the run is in a state that cannot be resumed.
    """
    plan = await Stream.open(gateway.log, DAG, plan_id(run_id), origin)
    await gateway.agents_current()

    def decide(state: run.State) -> Sequence[Event]:
        require(state, plan.state)
        events = run.resume(state)
        if problem := _model_problem(gateway, state):
            raise Refusal(503, problem)
        return events

    stream = await transact(gateway.log, RUN, run_id, decide, origin)
    await gateway.projected(stream.seq)
    return stream


def _model_problem(gateway: Gateway, state: run.State) -> str | None:
    if state.loop:
        return goal_run_model_problem(gateway, state.loop.request)
    return run_model_problem(gateway, state.request, _remaining_steps(state)) if state.request else None


def _remaining_steps(state: run.State) -> Iterator[SubTask]:
    """Yield the steps that have not completed."""
    over = {SYNTHESIS, *state.done}
    return (step.task for id_, step in state.graph.steps.items() if id_ not in over)
