"""The endpoint of a request: provider, model, address and key."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from pydantic import SecretStr

from contracts.core.outcome import Reject
from contracts.core.suggestions import did_you_mean
from contracts.llm.settings import LlmSettings

OPENAI_URL = "https://api.openai.com/v1"
OPENROUTER_HEADERS = {"HTTP-Referer": "https://github.com/async-agent", "X-Title": "Async Agent"}
NO_KEY = "none"
"""Sent to servers that need no key, because the SDK requires one."""


class LlmNotConfigured(Reject):
    """The LLM is not configured; the message says which variables to set."""


class Provider(StrEnum):
    """The supported kinds of APIs, all OpenAI-compatible."""

    OPENAI = "openai"
    OPENROUTER = "openrouter"
    OLLAMA = "ollama"


_NAMES = {**{provider.value: provider for provider in Provider}, "openrouter-fetch": Provider.OPENROUTER}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model of a provider, with the address and key to call it."""

    provider: Provider
    model: str
    base_url: str
    api_key: str = field(repr=False)
    headers: Mapping[str, str]

    @property
    def address(self) -> str:
        """The URL of chat completions."""
        return f"{self.base_url.rstrip('/')}/chat/completions"


@dataclass(frozen=True, slots=True)
class _Account:
    """The settings of one provider."""

    base_url: str
    api_key: SecretStr | None
    key_variable: str | None
    """None: no key is needed."""
    model: str | None
    headers: Mapping[str, str] = field(default_factory=dict)


def resolve(settings: LlmSettings, provider: str | None = None, model: str | None = None) -> Endpoint:
    """The endpoint for `provider` and `model`; None: those of the settings.

    Raises:
        LlmNotConfigured: a setting is missing, or the provider is unknown.
    """
    chosen = _provider(settings, provider)
    account = _account(settings, chosen)
    chosen_model = model or account.model or settings.llm_model
    missing = []
    if account.key_variable and account.api_key is None:
        missing.append(account.key_variable)
    if not chosen_model:
        missing.append(f"{chosen.upper()}_MODEL or LLM_MODEL")
    if missing or not chosen_model:
        raise LlmNotConfigured(f"LLM provider {chosen} is not configured: set {' and '.join(missing)}")
    key = account.api_key.get_secret_value().strip() if account.api_key else NO_KEY
    return Endpoint(chosen, chosen_model, account.base_url, key, account.headers)


def _provider(settings: LlmSettings, asked: str | None) -> Provider:
    name = asked or settings.llm_provider
    if not name:
        raise LlmNotConfigured(
            f"No LLM is configured: set LLM_PROVIDER ({', '.join(Provider)}) and LLM_MODEL, "
            "with OPENAI_API_KEY or OPENROUTER_API_KEY for those two"
        )
    provider = _NAMES.get(name.strip().lower())
    if provider is None:
        where = "ask for" if asked else "set LLM_PROVIDER to"
        meant = did_you_mean(name, _NAMES)
        raise LlmNotConfigured(
            f"LLM provider {name[:100]!r} is unknown: {where} one of {', '.join(_NAMES)}{meant}"
        )
    return provider


def _account(settings: LlmSettings, provider: Provider) -> _Account:
    match provider:
        case Provider.OPENAI:
            own_server = settings.openai_base_url
            key_variable = None if own_server else "OPENAI_API_KEY"
            return _Account(
                own_server or OPENAI_URL, settings.openai_api_key, key_variable, settings.openai_model
            )
        case Provider.OPENROUTER:
            return _Account(
                settings.openrouter_base_url,
                settings.openrouter_api_key,
                "OPENROUTER_API_KEY",
                settings.openrouter_model,
                OPENROUTER_HEADERS,
            )
        case Provider.OLLAMA:
            root = settings.ollama_base_url.rstrip("/").removesuffix("/v1")
            return _Account(f"{root}/v1", None, None, settings.ollama_model)
