"""Extra keys that clients of the older system send. They are ignored; other unknown keys are an error.

Those clients send whole rows back, and send an agent or a schedule with updates that do not accept one.
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
"""Ignored keys by the name of the body's model."""
