"""Decisions about the goal that a request names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from contracts.core.event import Event
from contracts.domain import goal
from contracts.domain.goal import GOAL
from contracts.runtime.stream import Stream, transact
from gateway.endpoint import Call


async def decided(
    call: Call[Any, Any], decide: Callable[[goal.State], Sequence[Event]]
) -> Stream[goal.State]:
    """Decide about the goal of the request, wait a limited time for the views, and return the goal.

    Raises:
        UnknownGoal: the goal does not exist.
    """
    stream = await transact(call.gateway.log, GOAL, call.path["id"], decide, call.origin)
    await call.gateway.projected(stream.seq)
    return stream
