"""Creates the default agents, once per log."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

import structlog

from contracts.core.event import Event
from contracts.domain import agent
from contracts.domain.agent import AGENT, Directory
from contracts.runtime.log import Log
from contracts.runtime.stream import Origin, transact
from planner.default_agents import DefaultAgent

logger = structlog.get_logger(__name__)


async def seed_agents(log: Log, known: Directory, defaults: Iterable[DefaultAgent], origin: Origin) -> None:
    """Create those of `defaults` that never existed. Several planners may call this at the same time.

    `known` must have caught up with the log.
    """
    for default in defaults:
        agent_id = agent.agent_id(default.name, default.version)
        if known.get(agent_id) is not None:
            continue
        activate = known.active(default.name) is None
        decide = partial(seed_events, wanted=_created(default), activate=activate)
        stream = await transact(log, AGENT, agent_id, decide, origin)
        logger.debug("default agent", name=default.name, version=default.version, status=stream.state.status)


def seed_events(state: agent.State, wanted: agent.Created, *, activate: bool) -> list[Event]:
    """The events that create a default agent, and activate it if `activate`; none if it ever existed."""
    events = agent.seed(state, wanted)
    return [event for event in events if activate or not isinstance(event, agent.Activated)]


def _created(default: DefaultAgent) -> agent.Created:
    return agent.Created(
        name=default.name,
        version_name=default.version,
        prompt_template=default.prompt_template,
        metadata=default.metadata,
    )
