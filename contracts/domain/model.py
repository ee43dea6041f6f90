"""Which model is asked in an agent's place. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

ModelProblem = Callable[[str | None, str | None], str | None]
"""What keeps a provider and model from being called; None when nothing does."""


class AsksModel(Protocol):
    """Something that may have a model of its own: an agent, or what a run has kept of one."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def provider(self) -> str | None:
        """None leaves the choice to the settings; so does no model."""
        ...

    @property
    def model(self) -> str | None:
        """The provider's name for it."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """The model that is asked."""

    provider: str | None
    """None leaves the choice to the settings; so does no model."""
    model: str | None
    remark: str | None = None
    """Why it is not the agent's own."""


@dataclass(frozen=True, slots=True)
class NoModel:
    """No model can be asked."""

    reason: str
    """What to set first."""


def resolve_model(agent: AsksModel | None, problem: ModelProblem) -> Model | NoModel:
    """The agent's own model where it can be called, else that of the settings."""
    own = agent is not None and (agent.provider is not None or agent.model is not None)
    wrong = problem(agent.provider, agent.model) if agent is not None and own else None
    if agent is not None and own and wrong is None:
        return Model(agent.provider, agent.model)
    if missing := problem(None, None):
        return NoModel(missing)
    if agent is None or wrong is None:
        return Model(None, None)
    remark = f"the model of the settings is used, because that of agent {agent.name} cannot be: {wrong}"
    return Model(None, None, remark)
