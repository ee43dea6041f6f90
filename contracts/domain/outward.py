"""Whether a tool call that sends something to others is made, and why.

The executor decides it (`executor/policy`) in the commit that starts the call's step.
"""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict

OutwardCalls = Literal["allow", "ask-tainted", "ask", "forbid"]
"""What happens to tool calls that send something to others:

- `allow`: they are made.
- `ask-tainted`: a person must approve a call whose destination may have been chosen by text from outside.
- `ask`: a person must approve every call.
- `forbid`: they fail.
"""

_BY_STRICTNESS: tuple[OutwardCalls, ...] = get_args(OutwardCalls)


class Ruling(BaseModel):
    """The decision about one call that sends something to others."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    decision: Literal["allow", "ask", "forbid"]
    policy: OutwardCalls
    """The policy in force: the strictest of the setting OUTWARD_CALLS and the goal or plan."""
    reason: str


def as_strict_as(policy: OutwardCalls) -> tuple[OutwardCalls, ...]:
    """`policy` and all policies that are stricter."""
    return _BY_STRICTNESS[_BY_STRICTNESS.index(policy) :]


def strictest(*policies: OutwardCalls | None) -> OutwardCalls:
    """The strictest of `policies`. None says nothing."""
    return max(filter(None, policies), key=_BY_STRICTNESS.index, default="allow")
