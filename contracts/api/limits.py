"""What runs may do, in bodies of requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from contracts.api.fields import Body, Omissible
from contracts.domain.budget import Budget
from contracts.domain.limits import Limits
from contracts.domain.outward import OutwardCalls

ToolNames = list[Annotated[str, Field(max_length=256)]]


class RunLimits(Body):
    """What the runs of a goal or DAG may do."""

    budget: Omissible[Budget] = None
    """What one run may spend. Default: no limits. Planning counts for the run that the plan is made for."""
    outward_calls: Omissible[OutwardCalls] = None
    """What happens to tool calls that send something to others, such as e-mail. `allow`: they are made.
    `ask-tainted`: a person must approve a call whose destination may have been chosen by text from outside.
    `ask`: a person must approve every call. `forbid`: they fail.

    It can only be stricter than the setting OUTWARD_CALLS, which is the default.
    """
    approvals: Omissible[ToolNames] = None
    """Names of the tools of which a person must approve each call first. Default: none."""


class OwnLimits(Body):
    """What a single run may do, if that differs from its goal or plan."""

    budget: Omissible[Budget] = None
    """What this run may spend. Omitted limits are those of the goal or plan; null removes one."""
    outward_calls: Omissible[OutwardCalls] = None
    """What happens to tool calls of this run that send something to others. It can only be stricter than the
    policy of the goal or plan, and than the setting OUTWARD_CALLS."""
    approvals: Omissible[ToolNames] = None
    """Names of further tools of which a person must approve each call of this run first."""

    @property
    def limits(self) -> Limits:
        """The limits as the domain knows them."""
        return Limits(self.budget, self.outward_calls, tuple(self.approvals or ()))
