"""Settings of LLM calls, read from the environment and `.env`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, SecretStr

from contracts.settings.environment import MAY_HOLD_A_SECRET, EnvironmentSettings

StructuredOutput = Literal["auto", "json_schema", "json_object", "off"]

_HTTP = "^https?://"


class LlmSettings(EnvironmentSettings):
    """Providers, models and limits of LLM calls. All are optional: processes start without an LLM."""

    llm_provider: str | None = None
    """`openai`, `openrouter` (alias `openrouter-fetch`) or `ollama`: used if a request names no provider."""
    llm_model: str | None = None
    """Used if neither the request nor `<PROVIDER>_MODEL` names a model."""

    openai_api_key: SecretStr | None = None
    openai_model: str | None = None
    openai_base_url: Annotated[str | None, MAY_HOLD_A_SECRET] = Field(default=None, pattern=_HTTP)
    """URL of any OpenAI-compatible server, up to and including `/v1`. OPENAI_API_KEY is then optional."""

    openrouter_api_key: SecretStr | None = None
    openrouter_model: str | None = None
    openrouter_base_url: Annotated[str, MAY_HOLD_A_SECRET] = Field(
        default="https://openrouter.ai/api/v1", pattern=_HTTP
    )

    ollama_base_url: Annotated[str, MAY_HOLD_A_SECRET] = Field(
        default="http://localhost:11434", pattern=_HTTP
    )
    ollama_model: str | None = None

    default_temperature: float = Field(default=0.7, ge=0, le=2)
    default_max_tokens: int = Field(default=10000, ge=1)
    default_reasoning_effort: str = "medium"
    """Reasoning effort of a task whose request names none; not sent to a model that refuses it."""

    llm_structured_output: StructuredOutput = "auto"
    """Response format of plans: `auto` sends a JSON Schema unless the model refuses it, `json_schema` and
    `json_object` always send that format, `off` sends none."""

    budget_unpriced: Literal["allow", "refuse"] = "refuse"
    """Whether a model whose price is not known may be called where dollars are limited."""

    llm_timeout_s: float = Field(default=120.0, gt=0)
    """Maximum seconds of one attempt, from connecting to the last byte."""
    llm_max_concurrency: int = Field(default=16, ge=1)
    """Maximum concurrent calls per process; further calls wait."""
    llm_retries: int = Field(default=2, ge=0)
    """Retries after a temporary failure, for callers without retries of their own."""
