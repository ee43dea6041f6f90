"""The price of tokens, from the price list in genai-prices. No network is used.

Importing this module costs some 27 MB, so only the first priced answer imports it.
"""

from __future__ import annotations

from decimal import Decimal

from genai_prices import Usage, calc_price

from contracts.llm.bill import Tokens
from contracts.llm.endpoint import Endpoint, Provider


def price(endpoint: Endpoint, model: str, tokens: Tokens) -> Decimal | None:
    """US dollars for `tokens` of `model`; None if the list does not have the model, such as a local one."""
    usage = Usage(
        input_tokens=tokens.prompt,
        cache_read_tokens=min(tokens.cached, tokens.prompt),
        output_tokens=tokens.completion,
    )
    match endpoint.provider:
        case Provider.OLLAMA:
            return None
        case Provider.OPENROUTER:
            return _listed(usage, model, provider_id="openrouter")
        case Provider.OPENAI:
            by_address = _listed(usage, model, provider_api_url=endpoint.base_url)
            return _listed(usage, model, provider_id="openai") if by_address is None else by_address


def _listed(
    usage: Usage, model: str, *, provider_id: str | None = None, provider_api_url: str | None = None
) -> Decimal | None:
    try:
        if provider_api_url is not None:
            return calc_price(usage, model, provider_api_url=provider_api_url).total_price
        return calc_price(usage, model, provider_id=provider_id).total_price
    except (LookupError, ValueError):  # not in the list, or invalid counts
        return None
