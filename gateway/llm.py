"""The configuration of the LLM."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.llm import LlmNotConfigured, LlmSettings
from contracts.llm.endpoint import resolve

NONE = "none"


@dataclass(frozen=True)
class LlmConfiguration:
    """The providers and models of the environment."""

    settings: LlmSettings

    @property
    def default(self) -> tuple[str, str]:
        """Default provider and model. An unset value is NONE."""
        try:
            endpoint = resolve(self.settings)
        except LlmNotConfigured:
            return self.settings.llm_provider or NONE, self.settings.llm_model or NONE
        return endpoint.provider.value, endpoint.model
