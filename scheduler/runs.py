"""Requests and cancels the runs of ticks, and reads their states from the log."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple

from contracts.core.actors import of_service
from contracts.core.commit import Commit
from contracts.core.event import Event
from contracts.core.subjects import aggregate_filter
from contracts.domain import dag, run, run_requests
from contracts.domain.dag import DAG
from contracts.domain.run import RUN
from contracts.domain.run_requests import RunRequest, plan_id
from contracts.runtime.log import Conflict, Log
from contracts.runtime.stream import Origin, Stream, transact

IN_PROGRESS = frozenset(
    {
        run.Status.PENDING.value,
        run.Status.RUNNING.value,
        run.Status.WAITING.value,
        dag.Status.REQUESTED.value,
        dag.Status.PLANNING.value,
        dag.Status.PLANNED.value,
    }
)
"""States of runs and DAGs in which the work continues by itself, or as soon as a person answers."""

ENDED = frozenset(
    {
        run.Status.COMPLETED.value,
        run.Status.CANCELLED.value,
        run.Status.DELETED.value,
        dag.Status.REJECTED.value,
    }
)
"""States of runs and DAGs in which the work has ended. A failed run may be resumed."""

FINAL = frozenset({run.Status.CANCELLED.value, run.Status.DELETED.value})
"""States of runs after which they can only be deleted."""

ACTOR = of_service("scheduler")
"""The actor of everything that happens because of the time."""
REMEMBERED = 10_000
"""Maximum number of runs kept in memory."""


class EarlierRuns(NamedTuple):
    """Runs that earlier ticks have requested, oldest first."""

    unfinished: Sequence[str] = ()
    """Those that have not ended, or may be resumed."""
    in_progress: Sequence[str] = ()


class Runs:
    """Runs by id. The run of a goal with a plan begins as the DAG of that plan."""

    def __init__(self, log: Log, source: str) -> None:
        self._log = log
        self._source = source
        self._known: dict[str, None] = {}
        """Ids of runs that this process knows to exist, oldest first."""
        self._final: dict[str, str] = {}
        """States, which cannot change any more, of runs that this process has read, oldest first."""

    @staticmethod
    def filters(run_id: str) -> tuple[str, str]:
        """Subject filters for all commits of a run and of the DAG of its plan."""
        return aggregate_filter(RUN.name, run_id), aggregate_filter(DAG.name, plan_id(run_id))

    async def exists(self, run_id: str) -> bool:
        """Whether the run has been requested."""
        return run_id in self._known or await self._state(run_id) is not None

    def remember(self, run_id: str) -> None:
        """Remember that a run exists, so that `exists` does not read the log."""
        self._known[run_id] = None
        _forget_oldest(self._known)

    async def earlier(self, run_ids: Sequence[str]) -> EarlierRuns:
        """Those of `run_ids` that are in progress or may go on. A suspended run is not in progress."""
        found = [(run_id, await self._state(run_id)) for run_id in run_ids]
        return EarlierRuns(
            unfinished=[run_id for run_id, state in found if state is not None and state not in ENDED],
            in_progress=[run_id for run_id, state in found if state in IN_PROGRESS],
        )

    async def ask(self, asked: RunRequest, origin: Origin) -> bool:
        """Request a run. Returns False if it exists already.

        Raises:
            TooLarge: the request does not fit into one commit.
        """
        stream = Stream(self._log, asked.aggregate, asked.id, origin)
        with suppress(Conflict):
            await stream.append([asked.event], becomes=asked.becomes)
            return True
        return False

    async def cancel(self, run_id: str, reason: str) -> None:
        """Cancel a run or its planning. Does nothing if it has ended."""
        plan = await Stream.open(self._log, DAG, plan_id(run_id), Origin(self._source, actor=ACTOR))

        def decide(state: run.State) -> Sequence[Event]:
            return run_requests.cancel(run_id, state, plan.state, reason)

        with suppress(run.UnknownRun, run.AlreadyFinished):
            await transact(self._log, RUN, run_id, decide, plan.origin)
        with suppress(dag.UnknownDag):
            await transact(self._log, DAG, plan.id, partial(dag.cancel_planning, reason=reason), plan.origin)

    async def _state(self, run_id: str) -> str | None:
        if final := self._final.get(run_id):
            return final
        for aggregate, id_ in ((RUN.name, run_id), (DAG.name, plan_id(run_id))):
            if newest := await self._log.newest(aggregate, id_):
                if _is_final(newest.commit):
                    self._final[run_id] = newest.commit.state
                    _forget_oldest(self._final)
                return newest.commit.state
        return None


def _is_final(newest: Commit) -> bool:
    """Whether a run can only be deleted after its newest commit. A completed run of a goal may go on."""
    last = newest.events[-1]
    is_over = newest.state in FINAL or (isinstance(last, run.Completed) and not last.for_goal)
    return newest.aggregate == RUN.name and is_over


def _forget_oldest(remembered: dict[str, Any]) -> None:
    if len(remembered) > REMEMBERED:
        del remembered[next(iter(remembered))]
