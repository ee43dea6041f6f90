"""Chat with an LLM through any OpenAI-compatible provider: `Llm(LlmSettings()).complete(ChatRequest(…))`.

An answer is read in three layers. Each is pure, and a table of what real servers send tests it.

1. *Wire to answer* (`answer`): each field by itself, and the bill first, so that no refusal loses it.
   Reasoning, text, tool calls and refusals are separated here and nowhere else.
2. *Answer to meaning* (`written`, `text_calls`, and `planner.coercion` for plans): JSON and calls are
   repaired where the meaning is clear. Otherwise the model is told once exactly what was wrong.
3. *History to wire* (`history`, `context`): ids, names, roles and nulls that the strictest provider takes,
   and a length that fits the model. What a model refuses is learnt from its provider's answers (`adapting`).
"""

from __future__ import annotations

from contracts.llm.call import OnAttempt
from contracts.llm.chat import ChatRequest, Completion, Exchange, FinishReason, ToolCall
from contracts.llm.client import Llm, MayRetry, always
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
    "MayRetry",
    "always",
    "LlmNotConfigured",
    "Provider",
]
