"""An agent: a named, versioned system prompt with, if it wants, a provider and model of its own.

Written by the gateway (and once by the planner, which seeds the default agents). At most one version of a
name is active: activating one deactivates the others, and one that is renamed into a name which stands for
another is inactive there, by the fold of `Directory`, in the order of the log.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from contracts.core.aggregate import Aggregate, DomainError
from contracts.core.commit import Recorded
from contracts.core.event import Event, Json
from contracts.core.ids import derived_id

DEFAULT_AGENT = "defaultAgent"
"""Pursues the goals that name no agent."""
PLANNER_AGENT = "DecomposerV8"
"""Makes plans where no agent is named."""
TITLE_AGENT = "TitleMaster"
"""Gives plans their titles."""

# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


class Created(Event):
    """A version of an agent exists, inactive."""

    type: ClassVar[str] = "agent.created"
    offloaded: ClassVar[frozenset[str]] = frozenset({"prompt_template"})
    name: str
    version_name: str
    prompt_template: str
    provider: str | None = None
    model: str | None = None
    metadata: dict[str, Json] | None = None


class Updated(Event):
    """Some fields changed; those not given stay."""

    type: ClassVar[str] = "agent.updated"
    offloaded: ClassVar[frozenset[str]] = frozenset({"prompt_template"})
    name: str | None = None
    version_name: str | None = None
    prompt_template: str | None = None
    provider: str | None = None
    model: str | None = None
    metadata: dict[str, Json] | None = None


class Activated(Event):
    """This version is the one its name stands for; every other version of the name is not."""

    type: ClassVar[str] = "agent.activated"
    name: str


class Deleted(Event):
    """Gone from every view."""

    type: ClassVar[str] = "agent.deleted"


# ── state ───────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Last token of the subject. ACTIVE: it was activated; whether it still is, the Directory knows."""

    ABSENT = "absent"
    INACTIVE = "inactive"
    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class State:
    """The version as it stands."""

    status: Status = Status.ABSENT
    name: str = ""
    version_name: str = ""
    prompt_template: str = ""
    provider: str | None = None
    model: str | None = None
    metadata: dict[str, Json] | None = None


def evolve(state: State, event: Event) -> State:
    """The state after `event`."""
    match event:
        case Created():
            return State(Status.INACTIVE, **{name: getattr(event, name) for name in _FIELDS})
        case Updated():
            return replace(state, **event.model_dump(exclude_none=True))
        case Activated():
            return replace(state, status=Status.ACTIVE)
        case Deleted():
            return State(Status.DELETED)
    return state


_FIELDS = ("name", "version_name", "prompt_template", "provider", "model", "metadata")

AGENT = Aggregate(
    "agent", State(), evolve, lambda state: state.status.value, (Created, Updated, Activated, Deleted)
)


def agent_id(name: str, version_name: str) -> str:
    """The id of a version, derived from both, so that creating it twice at once conflicts."""
    return derived_id("agent_", name, version_name)


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────


class UnknownAgent(DomainError):
    """There is no such agent."""


class AgentExists(DomainError):
    """Agent with this name and version already exists"""


class NameTaken(DomainError):
    """The name stands for another version."""


class AgentActive(DomainError):
    """Cannot delete active agent. Activate another version first."""


def create(state: State, wanted: Created) -> list[Event]:
    """A new version, inactive."""
    if state.status not in {Status.ABSENT, Status.DELETED}:
        raise AgentExists
    return [wanted]


def update(state: State, changes: Updated) -> list[Event]:
    """Change fields; a change to what already is, is nothing."""
    require_known(state)
    return [changes] if evolve(state, changes) != state else []


def activate(state: State) -> list[Event]:
    """Make this the version its name stands for."""
    require_known(state)
    return [Activated(name=state.name)]


def delete(state: State, *, active: bool) -> list[Event]:
    """Remove a version that is not `active`."""
    require_known(state)
    if active:
        raise AgentActive
    return [Deleted()]


def seed(state: State, wanted: Created) -> list[Event]:
    """A default agent, active, unless anybody ever made (or deleted) one of this name and version."""
    return [wanted, Activated(name=wanted.name)] if state.status is Status.ABSENT else []


def require_known(state: State) -> None:
    """Raises UnknownAgent for a version that never was or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownAgent("Agent not found")


# ── all agents at hand ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """One version in the directory."""

    id: str
    state: State
    created_at: datetime


class Directory:
    """Every agent, folded from the log in its order: small enough to keep in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, AgentVersion] = {}
        self._active: dict[str, str] = {}
        self.seq = 0
        """Stream sequence of the last commit folded."""

    def fold(self, recorded: Iterable[Recorded]) -> None:
        """Take in further commits of agents."""
        for one in recorded:
            for event in one.commit.events:
                self._apply(one.commit.aggregate_id, event, one.commit.time)
            self.seq = one.seq

    def get(self, agent_id: str) -> AgentVersion | None:
        """The version with this id."""
        return self._entries.get(agent_id)

    def active(self, name: str) -> AgentVersion | None:
        """The version that `name` stands for."""
        return self._entries.get(self._active.get(name, ""))

    def is_active(self, agent_id: str) -> bool:
        """Whether its name stands for this version."""
        entry = self._entries.get(agent_id)
        return entry is not None and self._active.get(entry.state.name) == agent_id

    def find(self, name: str, version_name: str) -> AgentVersion | None:
        """The version called so."""
        named = (
            e for e in self._entries.values() if e.state.name == name and e.state.version_name == version_name
        )
        return next(named, None)

    def require_nameable(self, agent_id: str, name: str) -> None:
        """Raises NameTaken when giving this version `name` would leave two versions active under it."""
        holder = self._active.get(name, agent_id)
        if holder != agent_id and self.is_active(agent_id):
            raise NameTaken(
                f"Another version of '{name}' is active: instead of renaming this one, create it as a new "
                f"version of '{name}' and activate that"
            )

    def names(self) -> frozenset[str]:
        """Names that stand for a version."""
        return frozenset(self._active)

    def _apply(self, id_: str, event: Event, time: datetime) -> None:
        before = self._entries.get(id_)
        state = evolve(before.state if before else State(), event)
        if isinstance(event, Activated):
            self._active[state.name] = id_
        elif before and self._active.get(before.state.name) == id_ and state.name != before.state.name:
            del self._active[before.state.name]
            if state.status is Status.ACTIVE:
                self._active.setdefault(state.name, id_)
        if state.status is Status.DELETED:
            self._entries.pop(id_, None)
        else:
            self._entries[id_] = AgentVersion(id_, state, before.created_at if before else time)
