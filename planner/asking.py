"""Asking a model once."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.event import Json
from contracts.outcome import Reject, Retry
from contracts.runtime.llm import Attempt, ChatRequest, Completion, Llm
from planner.reply import Reply

ADVICE = "try again in a moment, or set another provider and model"
"""What helps when a model does not answer, or not as it should."""


async def ask(llm: Llm, request: ChatRequest) -> Reply:
    """What the model says, or why it says nothing: the client's own retries are over by then."""
    calls: list[Attempt] = []
    try:
        completion = await llm.complete(request, on_attempt=calls.append)
    except Retry as failure:
        return Reply(error=f"{failure}; {ADVICE}", stats=_stats({}, calls))
    except Reject as failure:
        return Reply(error=str(failure), stats=_stats({}, calls))
    return _answered(completion, calls)


def _answered(completion: Completion, calls: Sequence[Attempt]) -> Reply:
    cost = completion.cost_usd
    return Reply(
        text=completion.content,
        cut_off=completion.finish_reason == "length",
        usage=completion.usage,
        cost_usd=None if cost is None else f"{cost:f}",
        stats=_stats(completion.generation_stats or {}, calls),
    )


def _stats(told: dict[str, Json], calls: Sequence[Attempt]) -> dict[str, Json] | None:
    failed = [
        {"error": call.error, "status": call.status, "duration_ms": call.duration_ms}
        for call in calls
        if call.error is not None
    ]
    return {**told, "failed_calls": failed} if failed else told or None
