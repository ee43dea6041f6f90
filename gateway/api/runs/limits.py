"""What a single run may do, if its request says so."""

from __future__ import annotations

from typing import TypeVar

from contracts.api.limits import OwnLimits
from contracts.domain import goal
from contracts.domain.limits import Limits
from contracts.domain.plan import Job
from gateway.api.tool_names import require_tools
from gateway.gateway import Gateway
from gateway.http.errors import INVALID_BODY, Refusal

M = TypeVar("M", Job, goal.Params)


def narrowed(gateway: Gateway, one: M, own: OwnLimits) -> M:
    """Return the plan, or the params of the goal, with the limits of a single run.

    Raises:
        Refusal: the run would have a policy that is less strict, or a tool does not exist.
    """
    if not own.limits.are_given:
        return one
    require_tools(gateway, {("approvals",): own.approvals})
    limits = Limits.of(one)
    if found := [issue.as_json() for issue in limits.problems(own.limits)]:
        raise Refusal(400, INVALID_BODY, validation_errors=found)
    return limits.narrowed(own.limits).applied_to(one)
