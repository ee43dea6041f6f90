from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from contracts.llm.endpoint import OPENAI_URL, LlmNotConfigured, Provider, resolve
from contracts.llm.settings import LlmSettings


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in LlmSettings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def settings(**values: Any) -> LlmSettings:
    return LlmSettings(_env_file=None, **values)


@pytest.mark.parametrize(
    ("values", "asked", "model"),
    [
        ({"openai_model": "of-provider", "llm_model": "of-all"}, "explicit", "explicit"),
        ({"openai_model": "of-provider", "llm_model": "of-all"}, None, "of-provider"),
        ({"llm_model": "of-all"}, None, "of-all"),
    ],
)
def test_the_model_is_the_one_asked_for_else_the_providers_else_the_general_one(
    values: dict[str, str], asked: str | None, model: str
) -> None:
    configured = settings(llm_provider="openai", openai_api_key="k", **values)

    assert resolve(configured, None, asked).model == model


def test_the_provider_asked_for_wins_over_the_configured_one() -> None:
    configured = settings(llm_provider="openai", ollama_model="llama3")

    assert resolve(configured, "ollama").provider is Provider.OLLAMA


def test_openrouter_fetch_is_openrouter() -> None:
    endpoint = resolve(settings(openrouter_api_key="k", llm_model="m"), "openrouter-fetch")

    assert endpoint.provider is Provider.OPENROUTER
    assert endpoint.base_url == "https://openrouter.ai/api/v1"
    assert endpoint.headers == {"HTTP-Referer": "https://github.com/async-agent", "X-Title": "Async Agent"}


@pytest.mark.parametrize("url", ["http://box:11434", "http://box:11434/", "http://box:11434/v1"])
def test_ollama_is_spoken_to_through_its_openai_endpoint(url: str) -> None:
    assert (
        resolve(settings(ollama_base_url=url, ollama_model="m"), "ollama").base_url == "http://box:11434/v1"
    )


def test_the_openai_key_goes_to_openai_unless_told_otherwise() -> None:
    assert resolve(settings(openai_api_key="k", openai_model="m"), "openai").base_url == OPENAI_URL


def test_a_server_of_ones_own_needs_no_key() -> None:
    endpoint = resolve(settings(openai_base_url="http://127.0.0.1:8000/v1", openai_model="m"), "openai")

    assert endpoint.base_url == "http://127.0.0.1:8000/v1"
    assert endpoint.api_key


@pytest.mark.parametrize(
    ("values", "provider", "says"),
    [
        ({}, None, "set LLM_PROVIDER (openai, openrouter, ollama) and LLM_MODEL"),
        (
            {"llm_provider": "claude"},
            None,
            "set LLM_PROVIDER to one of openai, openrouter, ollama, openrouter-f",
        ),
        ({}, "claude", "ask for one of openai, openrouter, ollama, openrouter-fetch"),
        ({"llm_provider": "openai"}, None, "set OPENAI_API_KEY and OPENAI_MODEL or LLM_MODEL"),
        ({"llm_provider": "openai", "llm_model": "m"}, None, "set OPENAI_API_KEY"),
        ({"openrouter_api_key": "k"}, "openrouter-fetch", "set OPENROUTER_MODEL or LLM_MODEL"),
        ({}, "ollama", "set OLLAMA_MODEL or LLM_MODEL"),
    ],
)
def test_missing_settings_are_named(values: dict[str, str], provider: str | None, says: str) -> None:
    with pytest.raises(LlmNotConfigured) as problem:
        resolve(settings(**values), provider)

    assert says in str(problem.value)


def test_keys_are_not_shown() -> None:
    configured = settings(openai_api_key="sk-secret", openai_model="m")

    assert "sk-secret" not in repr(configured) + repr(resolve(configured, "openai"))


def test_a_process_that_calls_no_model_does_not_pay_for_the_sdk() -> None:
    loads = "import contracts.llm, sys; print({'genai_prices'} & sys.modules.keys())"

    done = subprocess.run([sys.executable, "-c", loads], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
