"""Which model is asked in an agent's place."""

from __future__ import annotations

import pytest

from contracts.domain.agent import State
from contracts.domain.model import Model, NoModel, resolve_model

CALLABLE = {("openai", "m"), (None, None)}


def problem(provider: str | None, model: str | None) -> str | None:
    return None if (provider, model) in CALLABLE else f"set {provider}"


def nothing(_: str | None, __: str | None) -> str:
    return "set LLM_PROVIDER"


def test_an_agent_is_asked_with_its_own_model() -> None:
    assert resolve_model(State(name="A", provider="openai", model="m"), problem) == Model("openai", "m")


@pytest.mark.parametrize("agent", [None, State(name="A")])
def test_one_without_a_model_is_asked_with_that_of_the_settings(agent: State | None) -> None:
    assert resolve_model(agent, problem) == Model(None, None)


def test_one_whose_model_cannot_be_called_is_asked_with_that_of_the_settings_and_it_is_told_why() -> None:
    resolved = resolve_model(State(name="A", provider="openrouter", model="x"), problem)
    remark = "the model of the settings is used, because that of agent A cannot be called: set openrouter"
    assert resolved == Model(None, None, remark)


@pytest.mark.parametrize("agent", [None, State(name="A"), State(name="A", provider="openrouter", model="x")])
def test_without_any_model_it_is_told_what_to_set(agent: State | None) -> None:
    assert resolve_model(agent, nothing) == NoModel("set LLM_PROVIDER")
