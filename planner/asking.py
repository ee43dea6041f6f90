"""Asks a model once."""

from __future__ import annotations

import math
from collections.abc import Sequence

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from contracts.core.spent import Spent
from contracts.llm import ChatRequest, Completion, Exchange, Llm, MayRetry
from contracts.spending import Pay, Purpose
from planner.reply import Reply

ADVICE = "try again {when}, or set another provider and model"
"""Advice if a model does not answer."""


async def ask(llm: Llm, request: ChatRequest, pay: Pay, purpose: Purpose, is_affordable: MayRetry) -> Reply:
    """The answer of the model, or the error after all retries of the client.

    `is_affordable`: whether the run of the plan can afford a retry.

    Raises:
        LimitReached: the shared budget does not allow the call.
        Unavailable: the log, which has the shared budget, could not be reached.
    """
    calls: list[Exchange] = []

    async def complete(is_paid: MayRetry) -> Completion:
        async def may_retry(spent: Spent) -> bool:
            return await is_affordable(spent) and await is_paid(spent)

        return await llm.complete(request, on_attempt=calls.append, may_retry=may_retry)

    try:
        completion = await pay(request, purpose, complete)
    except Retry as failure:
        advice = ADVICE.format(when=_wait_text(failure.after))
        return _unanswered(f"{failure}; {advice}", failure.spent, calls)
    except Reject as failure:
        return _unanswered(str(failure), failure.spent, calls)
    return _answered(completion, calls)


def _wait_text(after_s: float | None) -> str:
    """When to try again, in words."""
    if after_s is None or after_s < 5:
        return "in a moment"
    return f"in {after_s:.0f} s" if after_s < 120 else f"in {math.ceil(after_s / 60)} min"


def _unanswered(error: str, spent: Spent | None, calls: Sequence[Exchange]) -> Reply:
    return Reply(error=error, spent=spent or Spent(), stats=_stats({}, calls))


def _answered(completion: Completion, calls: Sequence[Exchange]) -> Reply:
    return Reply(
        text=completion.content,
        cut_off=completion.is_cut,
        spent=completion.spent,
        stats=_stats(completion.generation_stats or {}, calls),
    )


def _stats(told: dict[str, Json], calls: Sequence[Exchange]) -> dict[str, Json] | None:
    failed = [
        {"error": call.error, "status": call.status, "duration_ms": call.duration_ms}
        for call in calls
        if call.error is not None
    ]
    return {**told, "failed_calls": failed} if failed else told or None
