"""HTTP to the providers through the OpenAI SDK. The size of an answer is limited, compressed or not.

Importing this module costs a second and some 50 MB, so only the first call imports it.
"""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import openai

from contracts.core.event import Json
from contracts.core.waiting import retry_after
from contracts.llm.endpoint import Endpoint, Provider
from contracts.llm.failure import CallFailed, refusal
from contracts.settings.redactor import SECRETS

CONNECT_TIMEOUT_S = 10.0
MAX_BODY_BYTES = 16 * 1024 * 1024
"""Maximum size of an answer. The longest answers of models have about 1 MiB."""
_ANY_ZLIB = 47
"""Window bits with which zlib detects gzip and deflate."""
_NOT_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
"""Names of the errors of the HTTP client before a request is sent. Which client it is depends on the SDK."""
_UNPACKED_HERE = ("content-encoding", "content-length", "transfer-encoding")
"""Headers that do not apply to a decompressed body."""


class TooLarge(Exception):
    """The answer is larger than MAX_BODY_BYTES."""


class Damaged(Exception):
    """The answer cannot be decompressed."""


class BoundedClient(openai.DefaultAsyncHttpxClient):
    """The HTTP client of the SDK, which reads and decompresses at most MAX_BODY_BYTES of an answer."""

    async def send(self, request: Any, **options: Any) -> Any:
        """The response with its whole body.

        Raises:
            TooLarge: the body is too large, compressed or decompressed.
            Damaged: the body cannot be decompressed.
        """
        response = await super().send(request, **{**options, "stream": True})
        try:
            raw = bytearray()
            async for chunk in response.aiter_raw():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise TooLarge
        finally:
            await response.aclose()
        packed = response.headers.get("content-encoding", "identity").strip().lower() not in ("", "identity")
        body = await asyncio.to_thread(unpacked, bytes(raw)) if packed else bytes(raw)
        headers = [(name, value) for name, value in response.headers.items() if name not in _UNPACKED_HERE]
        return type(response)(response.status_code, headers=headers, content=body, request=request)


class Connection:
    """An HTTP client that serves all providers."""

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._http = BoundedClient(
            timeout=openai.Timeout(None, connect=CONNECT_TIMEOUT_S),
            headers={"Accept-Encoding": "gzip, deflate"},
        )
        self._clients: dict[tuple[str, str], openai.AsyncOpenAI] = {}

    async def post(self, endpoint: Endpoint, body: Mapping[str, Json]) -> str:
        """The text of the 2xx response to `body`, with secrets redacted.

        Raises:
            CallFailed: there was no 2xx response.
        """
        parameters = {name: value for name, value in body.items() if name not in ("model", "messages")}
        completions = self._client(endpoint).chat.completions.with_raw_response
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await completions.create(
                    model=endpoint.model, messages=body["messages"], extra_body=parameters
                )
        except TimeoutError as error:
            raise CallFailed(
                f"{endpoint.provider} did not answer within {self._timeout_s:g} s (LLM_TIMEOUT_S)",
                passing=True,
                without_bill=True,
            ) from error
        except (TooLarge, Damaged) as error:
            raise _unusable(endpoint, error) from error
        except openai.APIConnectionError as error:
            raise _no_answer(endpoint, error.__cause__ or error) from error
        except openai.APIStatusError as error:
            after = retry_after(error.response.headers.get("retry-after"), datetime.now(UTC))
            said = _json_or_text(SECRETS.text(error.response.text))
            raise refusal(endpoint, error.status_code, said, after) from error
        return SECRETS.text(answer.text)

    async def close(self) -> None:
        """Close its sockets."""
        await self._http.aclose()

    def _client(self, endpoint: Endpoint) -> openai.AsyncOpenAI:
        if not endpoint.api_key.isprintable():  # the error of the HTTP client would show it
            name = endpoint.provider.upper()
            raise CallFailed(
                f"the key or address of {endpoint.provider} cannot be sent: check {name}_API_KEY and "
                f"{name}_BASE_URL",
                passing=False,
            )
        key = (endpoint.base_url, endpoint.api_key)
        if key not in self._clients:
            self._clients[key] = openai.AsyncOpenAI(
                api_key=endpoint.api_key,
                base_url=endpoint.base_url,
                default_headers=dict(endpoint.headers),
                max_retries=0,
                http_client=self._http,
            )
        return self._clients[key]


def unpacked(packed: bytes) -> bytes:
    """Decompress a body, gzip or deflate.

    Raises:
        Damaged: it is neither, or its end is missing.
        TooLarge: it is larger than MAX_BODY_BYTES.
    """
    unpacker = zlib.decompressobj(_ANY_ZLIB)
    try:
        data = unpacker.decompress(packed, MAX_BODY_BYTES + 1)
    except zlib.error as error:
        raise Damaged(str(error)) from error
    if len(data) > MAX_BODY_BYTES:
        raise TooLarge
    if not unpacker.eof:
        raise Damaged("its end is missing")
    return data


def _no_answer(endpoint: Endpoint, cause: BaseException) -> CallFailed:
    if isinstance(cause, TooLarge | Damaged):  # some versions of the SDK wrap what their HTTP client raises
        return _unusable(endpoint, cause)
    is_sent = type(cause).__name__ not in _NOT_SENT
    return CallFailed(_unreachable(endpoint, cause), passing=True, without_bill=is_sent)


def _unusable(endpoint: Endpoint, error: TooLarge | Damaged) -> CallFailed:
    if isinstance(error, Damaged):
        message = f"{endpoint.address} sent an answer that cannot be decompressed: {error}"
        return CallFailed(message, passing=True, without_bill=True)
    message = f"{endpoint.address} sent an answer larger than {MAX_BODY_BYTES // 1024 // 1024} MiB"
    return CallFailed(message, passing=False, without_bill=True)


def _json_or_text(text: str) -> Json:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text.strip()


def _unreachable(endpoint: Endpoint, error: BaseException) -> str:
    cause = str(error) or type(error).__name__
    message = f"cannot reach {endpoint.provider} at {endpoint.base_url}: {cause}"
    if endpoint.provider is Provider.OLLAMA:
        message += " (is `ollama serve` running? check OLLAMA_BASE_URL)"
    return message
