"""Chat with an LLM through any OpenAI-compatible provider: `Llm(LlmSettings()).complete(ChatRequest(…))`."""

from __future__ import annotations

from contracts.llm.chat import ChatRequest, Completion, Exchange, FinishReason, ToolCall
from contracts.llm.client import Llm, OnAttempt
from contracts.llm.endpoint import LlmNotConfigured, Provider
from contracts.llm.settings import LlmSettings

__all__ = [
    "Llm",
    "LlmSettings",
    "ChatRequest",
    "Completion",
    "ToolCall",
    "FinishReason",
    "Exchange",
    "OnAttempt",
    "LlmNotConfigured",
    "Provider",
]
