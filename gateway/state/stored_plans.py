"""DAGs that are executed again and again: read once, checked once."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.core.commit import all_events
from contracts.domain import dag
from contracts.domain.dag import DAG
from contracts.domain.plan import Job
from contracts.runtime.catalogue import Revision
from contracts.runtime.log import Log
from gateway.state.lru import Lru

KEPT = 256
"""DAGs in memory: those executed last."""
LARGEST = 100
"""Sub-tasks of a DAG that is kept; executing a larger one costs so much that reading it counts for little."""


@dataclass(frozen=True, slots=True)
class Approval:
    """That the job of a plan can be executed with certain tools and agents."""

    tools: Revision
    """Revision of the catalogue of tools."""
    agents: frozenset[str] | None
    """Names of the agents there were; None when no step asks one."""
    is_timeless: bool
    """Whether the job is the same on every day."""


@dataclass(slots=True, eq=False)
class StoredPlan:
    """A DAG as it stands after one of its commits."""

    id: str
    state: dag.State = DAG.initial
    seq: int = 0
    """Stream sequence of that commit, 0 before the first."""
    approval: Approval | None = None
    """The last one its job was given."""


class StoredPlans:
    """Every DAG in the log, those executed last at hand: of these, only what is new is read."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: Lru[str, StoredPlan] = Lru(KEPT)

    async def get(self, dag_id: str) -> StoredPlan:
        """The DAG as the log has it now.

        Raises:
            Unavailable: the log could not be reached.
            InvalidId: it cannot be the id of anything.
        """
        plan = self._kept.get(dag_id) or StoredPlan(dag_id)
        if recorded := await self._log.read(DAG.name, dag_id, after=plan.seq):
            events = all_events(one.commit for one in recorded)
            plan = StoredPlan(dag_id, DAG.fold(events, plan.state), recorded[-1].seq)
        self._keep(plan)
        return plan

    def _keep(self, plan: StoredPlan) -> None:
        job = plan.state.job
        if isinstance(job, Job) and len(job.sub_tasks) <= LARGEST:
            self._kept.put(plan.id, plan)
        else:
            self._kept.drop(plan.id)
