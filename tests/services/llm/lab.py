"""A client of a scripted server, and what it was sent."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from contracts.llm import Llm, LlmSettings
from contracts.llm.backoff import Backoff
from deploy.scripted_llm import Rule, ScriptedLlm, parse_rules

HELLO = ({"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"})
OK = '\n[[rule]]\nanswer.text = "Hi"'


class Lab:
    """Providers that follow rules, and clients whose waits are recorded instead of waited for."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self._stack = stack
        self.waits: list[float] = []

    async def provider(self, rules: str) -> ScriptedLlm:
        return await self.serve(parse_rules(rules))

    async def serve(self, rules: Sequence[Rule]) -> ScriptedLlm:
        return await self._stack.enter_async_context(ScriptedLlm(rules))

    def client(self, server: ScriptedLlm, **values: Any) -> Llm:
        defaults = {
            "llm_provider": "openai",
            "llm_model": "gpt-4o-mini",
            "openai_base_url": server.base_url,
            "openrouter_base_url": server.base_url,
            "openrouter_api_key": "or-key",
            "ollama_base_url": server.url,
        }
        return self.of(LlmSettings(_env_file=None, **{**defaults, **values}))

    def of(self, settings: LlmSettings) -> Llm:
        llm = Llm(settings, Backoff(sleep=self._wait, jitter=lambda: 1.0))
        self._stack.push_async_callback(llm.aclose)
        return llm

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
