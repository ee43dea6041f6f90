"""Which model answers for an agent. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

ModelProblem = Callable[[str | None, str | None], str | None]
"""Returns why a provider and model cannot be called, or None if they can."""


class AsksModel(Protocol):
    """An agent, or the copy of an agent in a run: it may name a provider and a model."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    @property
    def provider(self) -> str | None:
        """The provider; None: the provider of the settings."""
        ...

    @property
    def model(self) -> str | None:
        """The name of the model at the provider; None: the model of the settings."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """A model to call."""

    provider: str | None
    """None: the provider of the settings."""
    model: str | None
    """None: the model of the settings."""
    remark: str | None = None
    """Why this is not the model of the agent; None if it is."""


@dataclass(frozen=True, slots=True)
class NoModel:
    """No model can be called."""

    reason: str
    """Says what to set."""


def resolve_model(agent: AsksModel | None, problem: ModelProblem) -> Model | NoModel:
    """The model of the agent if it can be called, else the model of the settings."""
    own = agent is not None and (agent.provider is not None or agent.model is not None)
    wrong = problem(agent.provider, agent.model) if agent is not None and own else None
    if agent is not None and own and wrong is None:
        return Model(agent.provider, agent.model)
    if missing := problem(None, None):
        return NoModel(missing)
    if agent is None or wrong is None:
        return Model(None, None)
    remark = (
        f"the model of the settings is used, because that of agent {agent.name} cannot be called: {wrong}"
    )
    return Model(None, None, remark)
