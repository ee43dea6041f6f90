"""The default agents, written to the log once in its life."""

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
    """Create those of `defaults` that the log never had; any number of planners may do so at once.

    `known` must have caught up with the log.
    """
    for default in defaults:
        agent_id = agent.agent_id(default.name, default.version)
        if known.get(agent_id) is not None:
            continue
        activate = known.active(default.name) is None
        decide = partial(seeding, wanted=_created(default), activate=activate)
        stream = await transact(log, AGENT, agent_id, decide, origin)
        logger.debug("default agent", name=default.name, version=default.version, status=stream.state.status)


def seeding(state: agent.State, wanted: agent.Created, *, activate: bool) -> list[Event]:
    """A default agent that nobody ever made or deleted; without `activate` an inactive one."""
    events = agent.seed(state, wanted)
    return [event for event in events if activate or not isinstance(event, agent.Activated)]


def _created(default: DefaultAgent) -> agent.Created:
    return agent.Created(
        name=default.name,
        version_name=default.version,
        prompt_template=default.prompt_template,
        metadata=default.metadata,
    )
