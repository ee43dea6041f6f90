"""How a goal run ends. Pure."""

from __future__ import annotations

from contracts.core.event import Event
from contracts.domain.run.goal_events import Failed, GoalCompleted, Summarised
from contracts.domain.run.loop import Loop

CHECK_FIRST = "Find out before you call it again"
"""What a model is advised to do about a call whose outcome is unknown."""

NO_SUMMARY = (
    "No summary could be written: the model did not answer when it was asked for one. What was done stands "
    "in the steps of this run."
)


def finish(loop: Loop, duration_ms: int) -> list[Event]:
    """The end, when nothing is left to be done."""
    if loop.error is not None:
        return [Failed(error=loop.error)]
    written = [] if loop.summary is not None else [Summarised(summary=NO_SUMMARY)]
    return [*written, GoalCompleted(steps_executed=len(loop.turns), duration_ms=duration_ms)]
