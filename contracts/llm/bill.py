"""The tokens and the cost of one answer, usable or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from contracts.core.event import Json, Usage
from contracts.llm.fields import as_amount, as_count, as_list, as_name, as_object

MOST_TOKENS = 10**9
"""Maximum tokens of one answer. A larger number is an error of the provider and is ignored."""
MOST_USD = Decimal(10_000)

_PROMPT = (
    "prompt_tokens",
    "input_tokens",
    "promptTokens",
    "inputTokens",
    "promptTokenCount",
    "prompt_eval_count",
    "prompt_n",
)
_COMPLETION = (
    "completion_tokens",
    "output_tokens",
    "completionTokens",
    "outputTokens",
    "candidatesTokenCount",
    "eval_count",
    "predicted_n",
)
_TOTAL = ("total_tokens", "totalTokens", "totalTokenCount")
_CACHED = ("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens")
_BESIDE_INPUT = ("cache_read_input_tokens", "cache_creation_input_tokens")
"""Tokens of the prompt that Anthropic does not count in `input_tokens`."""
_COST = ("cost", "total_cost", "estimated_cost")


@dataclass(frozen=True, slots=True)
class Tokens:
    """Numbers of tokens by kind."""

    prompt: int
    """Tokens of the prompt, including cached ones."""
    cached: int
    completion: int

    @property
    def total(self) -> int:
        """Tokens of the prompt and of the answer."""
        return self.prompt + self.completion

    @property
    def is_possible(self) -> bool:
        """Whether the numbers are plausible."""
        return all(0 <= count <= MOST_TOKENS for count in (self.prompt, self.cached, self.completion))

    def as_usage(self) -> Usage:
        """The usage as events record it."""
        return Usage(prompt_tokens=self.prompt, completion_tokens=self.completion)


@dataclass(frozen=True, slots=True)
class Bill:
    """The cost of one answer."""

    model: str | None
    """The model that answered. It may be more specific than the requested one."""
    tokens: Tokens | None
    charged: Decimal | None
    """Charge in US dollars, as the provider reports it."""

    @property
    def is_given(self) -> bool:
        """Whether the answer says what it has used or cost."""
        return self.tokens is not None or self.charged is not None


def bill_of(document: Mapping[str, Json]) -> Bill:
    """The bill in an answer. A missing or invalid part is None."""
    usages = list(_usages(document))
    charged = next(filter(None, (_charged(usage) for usage in usages)), None)
    tokens = next(filter(None, map(_tokens, usages)), None)
    return Bill(as_name(document.get("model")), tokens, charged)


def _usages(document: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
    """The objects in which providers send the numbers, most common first."""
    usage = document.get("usage")
    yield as_object(usage[0] if isinstance(usage, list) and usage else usage)
    yield as_object(as_object(document.get("x_groq")).get("usage"))
    yield as_object(document.get("usageMetadata"))
    for choice in map(as_object, as_list(document.get("choices"))):  # Moonshot
        yield as_object(choice.get("usage"))
    yield as_object(document.get("timings"))
    yield document


def _tokens(usage: Mapping[str, Json]) -> Tokens | None:
    prompt, completion = _first(usage, _PROMPT), _first(usage, _COMPLETION)
    if "input_tokens" in usage and "prompt_tokens" not in usage and prompt is not None:
        prompt += sum(as_count(usage.get(name)) or 0 for name in _BESIDE_INPUT)
    total = _first(usage, _TOTAL)
    if total is not None and total <= MOST_TOKENS:
        if prompt is not None:  # xAI and Gemini do not count reasoning as a part of the completion
            completion = max(completion or 0, total - prompt)
        elif completion is not None:
            prompt = total - completion
    if prompt is None and completion is None:
        return None
    details = as_object(usage.get("prompt_tokens_details")) or as_object(usage.get("input_tokens_details"))
    cached = _first(details, _CACHED) or _first(usage, _CACHED) or 0
    tokens = Tokens(prompt or 0, cached, completion or 0)
    return tokens if tokens.is_possible else None


def _first(usage: Mapping[str, Json], names: tuple[str, ...]) -> int | None:
    return next((count for name in names if (count := as_count(usage.get(name))) is not None), None)


def _charged(usage: Mapping[str, Json]) -> Decimal | None:
    for name in _COST:
        value = usage.get(name)
        amount = as_amount(as_object(value).get("total_cost") if isinstance(value, Mapping) else value)
        if amount is not None and 0 <= amount <= MOST_USD:
            return amount + _charged_by_upstream(usage)
    return None


def _charged_by_upstream(usage: Mapping[str, Json]) -> Decimal:
    """What the provider behind OpenRouter charges on the key of the user; `cost` does not include it."""
    if usage.get("is_byok") is not True:
        return Decimal(0)
    amount = as_amount(as_object(usage.get("cost_details")).get("upstream_inference_cost"))
    return amount if amount is not None and 0 <= amount <= MOST_USD else Decimal(0)
