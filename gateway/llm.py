"""What is known about the LLM without calling it."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.llm import LlmNotConfigured, LlmSettings
from contracts.llm.endpoint import resolve

NONE = "none"


@dataclass(frozen=True)
class LlmConfiguration:
    """The providers and models that the environment names."""

    settings: LlmSettings

    @property
    def default(self) -> tuple[str, str]:
        """Provider and model of requests that name none, as far as they are set."""
        try:
            endpoint = resolve(self.settings)
        except LlmNotConfigured:
            return self.settings.llm_provider or NONE, self.settings.llm_model or NONE
        return endpoint.provider.value, endpoint.model
