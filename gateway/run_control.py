"""Runs of goals as clients ask for them, call them off and remove them.

A run by a plan is there from the moment its plan is asked for, long before the planner asks for the run
itself. To call such a run off is to write the first event of it: the planner then finds that it has nothing
left to ask for, whatever it was doing.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from contracts import dag, goal, run
from contracts.dag import DAG
from contracts.event import Event
from contracts.goal import GOAL
from contracts.ids import is_id
from contracts.pursuit import Occasion, plan_id, pursue
from contracts.run import RUN
from contracts.runtime.stream import Origin, Stream, transact
from contracts.subjects import aggregate_filter
from gateway import run_views
from gateway.endpoint import Call
from gateway.errors import Refusal
from gateway.gateway import Gateway

DEFAULT_AGENT = "defaultAgent"
"""Pursues the goals that name no agent."""
CALLED_OFF = frozenset({dag.Status.REJECTED, dag.Status.DELETED})


async def trigger(call: Call[Any, Any], goal_id: str) -> str:
    """Ask for a run of a goal; returns its id.

    Raises:
        Refusal: the goal is not there or not active, too many runs are going on, or no model can be called.
    """
    gateway, run_id = call.gateway, call.new_id("run_", "run")
    if call.key and await _is_asked_for(gateway, run_id):
        return run_id
    if not is_id(goal_id):
        raise _not_found(goal_id)
    pursued = await Stream.open(gateway.log, GOAL, goal_id, call.origin)
    _require_active(goal_id, pursued.state)
    if problem := await _model_problem(gateway, pursued.state):
        raise Refusal(503, problem)
    await _require_room(gateway)
    asked = pursue(goal_id, pursued.state, run_id, Occasion(), gateway.settings.defaults)
    stream = await call.create(asked.aggregate, asked.id, lambda state: _first(asked.event, state))
    if await pursued.refresh():
        await _require_still_active(call, pursued, run_id)
    await gateway.projected(stream.seq)
    return run_id
