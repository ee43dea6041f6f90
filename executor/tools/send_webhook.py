"""sendWebhook: posts JSON to a URL, with an idempotency key, and signed if WEBHOOK_SECRET is set."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import orjson
from aiohttp import ClientSession, ClientTimeout
from multidict import CIMultiDict
from pydantic import Field, field_validator

from contracts.core.event import Json
from contracts.core.ids import derived_id
from contracts.core.tool import Effect, OutputSpec, Outward
from executor.tools.inputs import HttpUrl, ToolInput
from executor.tools.tool import CallContext, Tool
from executor.tools.web import network_outcomes, raise_for_retry, read_answer, reason_of

NAME = "sendWebhook"
TIMEOUT_S = 10.0
MAX_RESPONSE = 1024 * 1024
"""Maximum bytes of the answer that are kept."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_BREAK = re.compile(r"[\r\n\0]")
_RESERVED = frozenset(
    {
        "connection",
        "content-encoding",
        "content-length",
        "host",
        "idempotency-key",
        "transfer-encoding",
        "webhook-id",
        "webhook-signature",
        "webhook-timestamp",
    }
)


class SendWebhook(ToolInput):
    """The webhook call to make."""

    url: HttpUrl = Field(description="Where to POST, http:// or https://")
    payload: dict[str, Any] = Field(description="JSON object to send as the body")
    headers: dict[str, str] = Field(default_factory=dict, description="Further request headers")

    @field_validator("headers")
    @classmethod
    def _are_valid_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        if broken := [
            name for name, value in headers.items() if not _NAME.match(name) or _BREAK.search(value)
        ]:
            raise ValueError(f"these are not valid HTTP headers: {', '.join(map(repr, broken))}")
        if taken := sorted(name for name in headers if name.lower() in _RESERVED):
            raise ValueError(f"these headers are set by the system, leave them out: {', '.join(taken)}")
        return headers


def send_webhook(
    http: ClientSession, secret: bytes, now: Callable[[], float] = time.time
) -> Tool[SendWebhook]:
    """The tool sendWebhook. It signs with `secret` unless that is empty."""

    async def run(request: SendWebhook, call: CallContext) -> Json:
        body = orjson.dumps(request.payload)
        headers = CIMultiDict({"Content-Type": "application/json", "User-Agent": "AsyncAgent/1.0"})
        headers.update(request.headers)
        headers["Idempotency-Key"] = quote(call.idempotency_key, safe="/")
        if secret:
            headers.update(_signed(secret, derived_id("msg_", call.idempotency_key), int(now()), body))
        return await _post(http, request.url, headers, body)

    return Tool(
        name=NAME,
        description="POST a JSON object to a URL. Returns whether it was accepted, and the answer.",
        accepts=SendWebhook,
        effect=Effect.IDEMPOTENT,
        run=run,
        output=OutputSpec(kind="webhook", fields=("url", "status", "success")),
        outward=Outward(kind="url", parameters=("url",)),
        timeout_s=TIMEOUT_S + 5,
    )


def signature(secret: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature by Standard Webhooks (https://www.standardwebhooks.com), version v1: HMAC-SHA256."""
    digest = hmac.digest(secret, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _signed(secret: bytes, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": signature(secret, message_id, timestamp, body),
    }


async def _post(http: ClientSession, url: str, headers: Mapping[str, str], body: bytes) -> Json:
    with network_outcomes(url, TIMEOUT_S):
        async with http.post(
            url, data=body, headers=headers, timeout=ClientTimeout(total=TIMEOUT_S), allow_redirects=False
        ) as response:
            raise_for_retry(response)
            return {
                "url": url,
                "status": response.status,
                "statusText": reason_of(response),
                "success": 200 <= response.status < 300,
                "response": await read_answer(response, MAX_RESPONSE),
            }
