"""The decision how a goal run ends. Pure."""

from __future__ import annotations

from contracts.core.event import Event
from contracts.domain.run.events import CUT_SHORT, Completed, OutcomeReason
from contracts.domain.run.goal_events import Failed, Summarised
from contracts.domain.run.loop import Loop

NO_SUMMARY = (
    "No summary could be written, because the model did not answer the request for one. The steps of this "
    "run show what was done."
)


def finish(loop: Loop, duration_ms: int) -> list[Event]:
    """The last events of a goal run."""
    if loop.error is not None:
        return [Failed(error=loop.error)]
    written = [] if loop.summary is not None else [Summarised(summary=NO_SUMMARY)]
    end = Completed(
        completed_steps=len(loop.turns), duration_ms=duration_ms, outcome_reason=outcome_reason(loop)
    )
    return [*written, end]


def outcome_reason(loop: Loop) -> OutcomeReason:
    """Why a finished run ended. If several reasons apply, the worst one."""
    last = loop.turns[-1]
    if _no_call_was_executed(loop):
        return "nothing_done"
    if last.taken.finish_reason in CUT_SHORT:
        return "truncated"
    if not last.is_finished and not loop.is_stuck:
        return "budget_exhausted"
    if last.taken.problem or _last_call_of_a_tool_failed(loop):
        return "calls_failed"
    return "truncated" if loop.summary_cut else "done"


def _no_call_was_executed(loop: Loop) -> bool:
    """Whether the model asked for tool calls, and none was executed."""
    asked = [turn for turn in loop.turns if turn.taken.calls or turn.taken.problem]
    return bool(asked) and all(call.refusal for turn in asked for call in turn.taken.calls)


def _last_call_of_a_tool_failed(loop: Loop) -> bool:
    """Whether the last call of some tool failed."""
    failed: dict[str, bool] = {}
    for turn in loop.turns:
        for position, call in enumerate(turn.taken.calls):
            failed[call.name] = turn.answers[position].error is not None
    return any(failed.values())
