"""The decisions to fork a run, and to replace it by its fork. Pure.

The first commit of a fork is its request, with `forked_from`, and `run.inherited`. The fork of a plan
inherits the completed steps that are not downstream of a change, the fork of an agent's run the turns before
it. Folding these events yields the state of a run that has done these steps, so no other code treats a fork
specially. Large results are the same blobs, so the original can be deleted. Inherited results are as
untrusted as in the original; what a person gives is trusted. A fork is refused if it would make a `once` call
that is in progress in the original. A fork that replaces its original first cancels it, so the two never run
at once; the id of the fork is in that commit. Every limit of its budget goes on where that of the original
was; any other fork begins with a whole budget.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from contracts.core.event import Event
from contracts.domain.run import budgets
from contracts.domain.run.events import Cancelled, ForkedFrom
from contracts.domain.run.evolve import RUN
from contracts.domain.run.fork_changes import Changes, InvalidFork, trusted_files
from contracts.domain.run.fork_plan import fork_plan
from contracts.domain.run.fork_turns import fork_turns
from contracts.domain.run.state import OPEN, State, UnknownRun, require_known


def fork(state: State, changes: Changes, origin: ForkedFrom, now: datetime) -> list[Event]:
    """The first events of a fork of the run.

    A run in any status can be forked. The fork inherits what is completed now. It asks persons again, also
    where the original was answered.

    Raises:
        UnknownRun: there is no such run.
        InvalidFork: the changes do not fit the run.
    """
    require_known(state)
    requested: Event
    if state.loop:
        requested, inherited = fork_turns(state, state.loop, changes, origin)
    elif state.request:
        requested, inherited = fork_plan(state, state.request, changes, origin)
    else:
        raise UnknownRun("the run has no plan")
    carried: dict[str, Any] = {"trusted_files": trusted_files(state, replaces=origin.replaces)}
    if origin.replaces:
        fork = RUN.fold([requested, inherited])
        carried |= {
            "spent": state.spent.as_spent,
            "worked_ms": budgets.worked_ms(state, now),
            "counted_steps": budgets.counted_steps(state, fork),
        }
    return [requested, inherited.model_copy(update=carried)]


def replace(state: State, fork_id: str, now: datetime) -> list[Event]:
    """Cancel a run because a fork replaces it. Returns no events if that has happened.

    Raises:
        InvalidFork: the run has ended otherwise.
    """
    if state.replaced_by == fork_id:
        return []
    if state.replaced_by:
        raise InvalidFork(("replace",), f"the run was replaced by {state.replaced_by}: fork that one")
    if state.status not in OPEN:
        raise InvalidFork(
            ("replace",), f"the run is {state.status}, so there is nothing to replace: leave it out"
        )
    worked_ms = budgets.worked_ms(state, now)
    return [Cancelled(reason=f"replaced by {fork_id}", replaced_by=fork_id, worked_ms=worked_ms)]
