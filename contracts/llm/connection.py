"""HTTP to one provider through the OpenAI SDK.

Importing this module costs a second and some 50 MB, so only the first call imports it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime

import openai

from contracts.core.event import Json
from contracts.core.waiting import retry_after
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed, refusal

CONNECT_TIMEOUT_S = 10.0


class Connection:
    """An open HTTP client; one serves all models of its provider."""

    def __init__(self, endpoint: Endpoint, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._client = openai.AsyncOpenAI(
            api_key=endpoint.api_key,
            base_url=endpoint.base_url,
            default_headers=dict(endpoint.headers),
            max_retries=0,
            timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT_S),
        )

    async def post(self, endpoint: Endpoint, body: Mapping[str, Json]) -> str:
        """The text of a 2xx answer to `body`.

        Raises:
            CallFailed: anything else.
        """
        parameters = {name: value for name, value in body.items() if name not in ("model", "messages")}
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.chat.completions.with_raw_response.create(
                    model=endpoint.model, messages=body["messages"], extra_body=parameters
                )
        except TimeoutError as error:
            raise CallFailed(
                f"{endpoint.provider} did not answer within {self._timeout_s:g} s (LLM_TIMEOUT_S)",
                passing=True,
            ) from error
        except openai.APIConnectionError as error:
            raise CallFailed(_unreachable(endpoint, error), passing=True) from error
        except openai.APIStatusError as error:
            after = retry_after(error.response.headers.get("retry-after"), datetime.now(UTC))
            raise refusal(endpoint, error.status_code, error.body, after) from error
        return answer.text

    async def close(self) -> None:
        """Close its sockets."""
        await self._client.close()


def _unreachable(endpoint: Endpoint, error: openai.APIConnectionError) -> str:
    cause = error.__cause__ or error
    message = f"cannot reach {endpoint.provider} at {endpoint.base_url}: {str(cause) or type(cause).__name__}"
    if endpoint.provider is Provider.OLLAMA:
        message += " (is `ollama serve` running? check OLLAMA_BASE_URL)"
    return message
