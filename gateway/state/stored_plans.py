"""A cache of DAGs and of the validation of their jobs."""

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
"""Maximum number of cached DAGs."""
LARGEST = 100
"""Maximum sub-tasks of a cached DAG. For larger DAGs, reading is cheap compared to execution."""


@dataclass(frozen=True, slots=True)
class Approval:
    """A successful validation of a plan's job, with the tools and agents it depends on."""

    tools: Revision
    """Revision of the catalogue of tools."""
    agents: frozenset[str] | None
    """Names of the agents at that time. None if no step uses an agent."""
    is_timeless: bool
    """Whether the job does not contain the current date."""


@dataclass(slots=True, eq=False)
class StoredPlan:
    """A DAG as of one of its commits."""

    id: str
    state: dag.State = DAG.initial
    seq: int = 0
    """Stream sequence of that commit. 0 before the first commit."""
    approval: Approval | None = None
    """The last successful validation of its job."""


class StoredPlans:
    """Reads DAGs from the log. For cached DAGs, only new commits are read."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._kept: Lru[str, StoredPlan] = Lru(KEPT)

    async def get(self, dag_id: str) -> StoredPlan:
        """Return the current DAG.

        Raises:
            Unavailable: the log could not be reached.
            InvalidId: `dag_id` is not a valid id.
        """
        plan = self._kept.get(dag_id) or StoredPlan(dag_id)
        if recorded := await self._log.read(DAG.name, dag_id, after=plan.seq):
            events = all_events(one.commit for one in recorded)
            plan = StoredPlan(dag_id, DAG.fold(events, plan.state), recorded[-1].seq)
        self._cache(plan)
        return plan

    def _cache(self, plan: StoredPlan) -> None:
        job = plan.state.job
        if isinstance(job, Job) and len(job.sub_tasks) <= LARGEST:
            self._kept.put(plan.id, plan)
        else:
            self._kept.drop(plan.id)
