"""Chat with an LLM through any OpenAI-compatible provider: `Llm(LlmSettings()).complete(ChatRequest(…))`."""

from __future__ import annotations

from contracts.runtime.llm.chat import Attempt, ChatRequest, Completion, FinishReason, ToolCall
from contracts.runtime.llm.client import Llm, OnAttempt
from contracts.runtime.llm.endpoint import LlmNotConfigured, Provider
from contracts.runtime.llm.settings import LlmSettings

__all__ = [
    "Llm",
    "LlmSettings",
    "ChatRequest",
    "Completion",
    "ToolCall",
    "FinishReason",
    "Attempt",
    "OnAttempt",
    "LlmNotConfigured",
    "Provider",
]
