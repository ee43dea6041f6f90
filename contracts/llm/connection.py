"""HTTP to the providers. The size of an answer is bounded, packed or not."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO

import aiohttp

from contracts.core.event import Json
from contracts.core.waiting import retry_after
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed, refusal

CONNECT_TIMEOUT_S = 10.0
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Of an answer; the longest that a model writes has about one."""
_CHUNK_BYTES = 64 * 1024
_ANY_ZLIB = 47
"""Window bits by which zlib tells gzip and deflate apart itself."""


class Connection:
    """An HTTP client that serves all providers."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def post(self, endpoint: Endpoint, body: Mapping[str, Json]) -> str:
        """The text of a 2xx answer to `body`.

        Raises:
            CallFailed: anything else.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                status, headers, text = await self._exchange(endpoint, body)
        except TimeoutError as error:
            raise CallFailed(
                f"{endpoint.provider} did not answer within {self._timeout_s:g} s (LLM_TIMEOUT_S)",
                passing=True,
            ) from error
        except (aiohttp.ClientError, OSError) as error:
            raise CallFailed(_unreachable(endpoint, error), passing=True) from error
        except ValueError as error:  # a line break in a header, which may be the key: it is not repeated
            raise CallFailed(
                f"the key or address of {endpoint.provider} cannot be sent: check "
                f"{endpoint.provider.upper()}_API_KEY and {endpoint.provider.upper()}_BASE_URL",
                passing=False,
            ) from error
        if 200 <= status < 300:
            return text
        raise refusal(endpoint, status, _json_or_text(text), retry_after(headers, datetime.now(UTC)))

    async def close(self) -> None:
        """Close its sockets."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, endpoint: Endpoint, body: Mapping[str, Json]) -> tuple[int, str | None, str]:
        """Status, `Retry-After` and text of the answer."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                auto_decompress=False,
                trust_env=True,
            )
        headers = {
            "Authorization": f"Bearer {endpoint.api_key}",
            "Content-Type": "application/json",
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            **endpoint.headers,
        }
        data = json.dumps({"model": endpoint.model, **body}, ensure_ascii=False).encode()
        async with self._session.post(endpoint.address, data=BytesIO(data), headers=headers) as response:
            text = await _text_of(endpoint, response)
            return response.status, response.headers.get("Retry-After"), text


async def _text_of(endpoint: Endpoint, response: aiohttp.ClientResponse) -> str:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        raw += chunk
        if len(raw) > MAX_BODY_BYTES:
            raise _too_large(endpoint, response.status)
    if response.headers.get("Content-Encoding", "identity").strip().lower() in ("", "identity"):
        return raw.decode("utf-8", "replace")
    return (await asyncio.to_thread(_unpacked, endpoint, response.status, bytes(raw))).decode(
        "utf-8", "replace"
    )


def _unpacked(endpoint: Endpoint, status: int, packed: bytes) -> bytes:
    unpacker = zlib.decompressobj(_ANY_ZLIB)
    try:
        data = unpacker.decompress(packed, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise CallFailed(
            f"{endpoint.address} sent an answer that cannot be unpacked: {error}", passing=True, status=status
        ) from error
    if len(data) > MAX_BODY_BYTES:
        raise _too_large(endpoint, status)
    return data


def _too_large(endpoint: Endpoint, status: int) -> CallFailed:
    limit = f"{MAX_BODY_BYTES // 1024 // 1024} MiB"
    return CallFailed(
        f"{endpoint.address} sent more than {limit}, which no model writes", passing=False, status=status
    )


def _json_or_text(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _unreachable(endpoint: Endpoint, error: Exception) -> str:
    cause = str(error) or type(error).__name__
    message = f"cannot reach {endpoint.provider} at {endpoint.base_url}: {cause}"
    if endpoint.provider is Provider.OLLAMA:
        message += " (is `ollama serve` running? check OLLAMA_BASE_URL)"
    return message
