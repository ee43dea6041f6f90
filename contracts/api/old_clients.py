"""What clients of the older system send besides: ignored, where other unknown keys are refused.

They send back what they were given, and choose an agent or a schedule where only creating takes one.
"""

from __future__ import annotations

from collections.abc import Mapping

_GIVEN = frozenset({"id", "createdAt", "updatedAt"})

IGNORED_KEYS: Mapping[str, frozenset[str]] = {
    "AgentCreate": _GIVEN | {"active"},
    "AgentPatch": _GIVEN | {"active"},
    "GoalCreate": _GIVEN | {"status", "schedules", "agent"},
    "GoalPatch": _GIVEN | {"agentId", "agentName", "agent", "schedule", "schedules"},
    "CreateDag": frozenset({"dagTitle"}),
    "DagPatch": _GIVEN
    | {"agentName", "attempts", "generationStats", "lastRunAt", "usage"}
    | {"planningAttempts", "planningTotalCostUsd", "planningTotalUsage"},
    "ExecuteDag": frozenset({"id"}),
}
"""By the name of the body's model."""
