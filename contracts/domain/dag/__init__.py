"""A DAG: a goal as text, and the plan for it.

The gateway writes requested, clarified, imported, updated, schedule_set and deleted; the planner the others.
"""

from __future__ import annotations

from contracts.domain.dag.decisions import (
    NoClarificationPending,
    UnknownDag,
    cancel_planning,
    clarify,
    delete,
    import_job,
    is_planning,
    plan,
    request,
    require_known,
    set_schedule,
    update,
)
from contracts.domain.dag.events import (
    TITLE_ATTEMPT,
    AttemptMade,
    AttemptStarted,
    ClarificationAsked,
    Clarified,
    Deleted,
    Imported,
    Planned,
    Rejected,
    Requested,
    ScheduleSet,
    Updated,
)
from contracts.domain.dag.state import DAG, State, Status, evolve

__all__ = [
    "DAG",
    "State",
    "Status",
    "evolve",
    "Requested",
    "AttemptMade",
    "AttemptStarted",
    "TITLE_ATTEMPT",
    "Planned",
    "ClarificationAsked",
    "Clarified",
    "Rejected",
    "Imported",
    "Updated",
    "ScheduleSet",
    "Deleted",
    "UnknownDag",
    "NoClarificationPending",
    "request",
    "import_job",
    "plan",
    "clarify",
    "update",
    "set_schedule",
    "cancel_planning",
    "delete",
    "is_planning",
    "require_known",
]
