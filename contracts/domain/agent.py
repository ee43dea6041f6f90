"""An agent: a named, versioned system prompt, with an optional provider and model.

The gateway writes its events; the planner writes those that create the default agents. At most one version
of a name is active: activating a version deactivates the other versions of the name. An active version that
is renamed to a name with an active version becomes inactive. `Directory` applies these rules, in log order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import ClassVar

from contracts.core.aggregate import Aggregate, DomainError
from contracts.core.commit import Recorded
from contracts.core.event import Event, Json
from contracts.core.ids import derived_id

DEFAULT_AGENT = "defaultAgent"
"""Name of the agent that runs goals without an agent."""
PLANNER_AGENT = "DecomposerV8"
"""Name of the agent that makes plans when the request names no agent."""
TITLE_AGENT = "TitleMaster"
"""Name of the agent that writes the titles of plans."""
ESSENTIAL_AGENTS = (DEFAULT_AGENT, PLANNER_AGENT, TITLE_AGENT)
"""Names that the services use by themselves."""
DEFAULT_AGENTS = frozenset(
    {*ESSENTIAL_AGENTS, "DecomposerV7", "inference", "ParaphrasePro", "SketchMentor", "Checker"}
)
"""Names of the agents that a planner creates when it starts with a new log."""

# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


class Created(Event):
    """A version of an agent was created. It is inactive."""

    type: ClassVar[str] = "agent.created"
    offloaded: ClassVar[frozenset[str]] = frozenset({"prompt_template"})
    name: str
    version_name: str
    prompt_template: str
    provider: str | None = None
    model: str | None = None
    metadata: dict[str, Json] | None = None


class Updated(Event):
    """Fields of the version changed. A field that is null is unchanged."""

    type: ClassVar[str] = "agent.updated"
    offloaded: ClassVar[frozenset[str]] = frozenset({"prompt_template"})
    name: str | None = None
    version_name: str | None = None
    prompt_template: str | None = None
    provider: str | None = None
    model: str | None = None
    metadata: dict[str, Json] | None = None


class Activated(Event):
    """This version is now the active version of its name; all other versions of the name are inactive."""

    type: ClassVar[str] = "agent.activated"
    name: str


class Deleted(Event):
    """The version was deleted."""

    type: ClassVar[str] = "agent.deleted"


# ── state ───────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Last token of the subject. ACTIVE: it was activated; `Directory` knows whether it is still active."""

    ABSENT = "absent"
    INACTIVE = "inactive"
    ACTIVE = "active"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class State:
    """The current state of a version."""

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
    """The id of a version, derived from name and version: creating the same version twice conflicts."""
    return derived_id("agent_", name, version_name)


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────


class UnknownAgent(DomainError):
    """There is no such agent."""


class AgentExists(DomainError):
    """Agent with this name and version already exists"""


class NameTaken(DomainError):
    """Another version of the name is active."""


class AgentActive(DomainError):
    """Cannot delete active agent. Activate another version first."""


def create(state: State, wanted: Created) -> list[Event]:
    """Create a version; it is inactive.

    Raises:
        AgentExists: the version exists.
    """
    if state.status not in {Status.ABSENT, Status.DELETED}:
        raise AgentExists
    return [wanted]


def update(state: State, changes: Updated) -> list[Event]:
    """Change fields of a version. Returns no events if nothing changes."""
    require_known(state)
    return [changes] if evolve(state, changes) != state else []


def activate(state: State) -> list[Event]:
    """Make this version the active version of its name."""
    require_known(state)
    return [Activated(name=state.name)]


def delete(state: State, *, active: bool) -> list[Event]:
    """Delete a version. Raises AgentActive if it is `active`."""
    require_known(state)
    if active:
        raise AgentActive
    return [Deleted()]


def seed(state: State, wanted: Created) -> list[Event]:
    """Create and activate a default agent. Returns no events if the version exists or was deleted."""
    return [wanted, Activated(name=wanted.name)] if state.status is Status.ABSENT else []


def require_known(state: State) -> None:
    """Raises UnknownAgent if the version does not exist or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownAgent("Agent not found")


# ── all agents ───────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class AgentVersion:
    """One version in the directory."""

    id: str
    state: State
    created_at: datetime


@dataclass(frozen=True, slots=True)
class DirectoryState:
    """The content of `Directory`."""

    entries: tuple[AgentVersion, ...] = ()
    active: Mapping[str, str] = field(default_factory=dict)
    """Ids of active versions by name."""
    activated: frozenset[str] = frozenset()
    seq: int = 0


class Directory:
    """All agents, folded from the log and kept in memory."""

    def __init__(self) -> None:
        self._entries: dict[str, AgentVersion] = {}
        self._active: dict[str, str] = {}
        self._activated: set[str] = set()
        """Names that have, or had, an active version."""
        self.seq = 0
        """Stream sequence of the last folded commit."""

    def fold(self, recorded: Iterable[Recorded]) -> None:
        """Apply further commits of agents, in log order."""
        for one in recorded:
            for event in one.commit.events:
                self._apply(one.commit.aggregate_id, event, one.commit.time)
            self.seq = one.seq

    @property
    def state(self) -> DirectoryState:
        """The content, to save it."""
        entries, activated = tuple(self._entries.values()), frozenset(self._activated)
        return DirectoryState(entries, dict(self._active), activated, self.seq)

    def restore(self, state: DirectoryState) -> None:
        """Replace the content by one that was saved."""
        self._entries = {one.id: one for one in state.entries}
        self._active = dict(state.active)
        self._activated = set(state.activated)
        self.seq = state.seq

    def get(self, agent_id: str) -> AgentVersion | None:
        """The version with this id, or None."""
        return self._entries.get(agent_id)

    def active(self, name: str) -> AgentVersion | None:
        """The active version of `name`, or None."""
        return self._entries.get(self._active.get(name, ""))

    def is_active(self, agent_id: str) -> bool:
        """Whether this version is the active version of its name."""
        entry = self._entries.get(agent_id)
        return entry is not None and self._active.get(entry.state.name) == agent_id

    def find(self, name: str, version_name: str) -> AgentVersion | None:
        """The version `version_name` of the agent `name`, or None."""
        named = (
            e for e in self._entries.values() if e.state.name == name and e.state.version_name == version_name
        )
        return next(named, None)

    def require_nameable(self, agent_id: str, name: str) -> None:
        """Raises NameTaken if renaming this version to `name` would make two versions of `name` active."""
        holder = self._active.get(name, agent_id)
        if holder != agent_id and self.is_active(agent_id):
            raise NameTaken(
                f"Another version of '{name}' is active: instead of renaming this one, create it as a new "
                f"version of '{name}' and activate that"
            )

    def names(self) -> frozenset[str]:
        """Names that have an active version."""
        return frozenset(self._active)

    def awaits(self, name: str) -> bool:
        """Whether `name` is the name of a default agent that no planner has created yet."""
        return name in DEFAULT_AGENTS and name not in self._activated

    def _apply(self, id_: str, event: Event, time: datetime) -> None:
        before = self._entries.get(id_)
        state = evolve(before.state if before else State(), event)
        if isinstance(event, Activated):
            self._active[state.name] = id_
            self._activated.add(state.name)
        elif before and self._active.get(before.state.name) == id_ and state.name != before.state.name:
            del self._active[before.state.name]
            if state.status is Status.ACTIVE:
                self._active.setdefault(state.name, id_)
        if state.status is Status.DELETED:
            self._entries.pop(id_, None)
        else:
            self._entries[id_] = AgentVersion(id_, state, before.created_at if before else time)
