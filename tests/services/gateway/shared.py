"""What tests of several resources need."""

from __future__ import annotations

from pydantic import TypeAdapter

from contracts.runtime.llm import LlmSettings

LLM = LlmSettings(_env_file=None, llm_provider="ollama", llm_model="m")
"""A model is configured, and none of these tests asks it."""
UNKNOWN_IDS = ("nope", "a.b", "*", ">", "a b", "x" * 65)
"""What nothing is called, or could be."""


def keys_of(model: type) -> list[str]:
    """What an answer of this type has, in its order."""
    return list(TypeAdapter(model).json_schema(mode="serialization")["properties"])
