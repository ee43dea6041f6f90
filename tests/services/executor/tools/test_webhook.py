"""sendWebhook against a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import TestServer

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from executor.tools import send_webhook as webhooks
from executor.tools.guard import guarded_session
from executor.tools.send_webhook import send_webhook, signature
from executor.tools.tool import CallContext

CALL = CallContext("run_1/001")
NOW = 1_700_000_000.9


@dataclass
class Receiver:
    """A server that keeps what it gets and answers as told."""

    server: TestServer
    got: list[tuple[Any, bytes]] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    discard_progress: bool = False

    @property
    def url(self) -> str:
        return str(self.server.make_url("/hook"))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((request.headers, await request.read()))
        if self.discard_progress:
            await asyncio.Event().wait()
        return web.Response(**self.answer)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    app = web.Application()
    server = TestServer(app)
    found = Receiver(server)
    app.router.add_route("*", "/hook", found.handle)
    async with server:
        yield found


async def send(http: ClientSession, secret: bytes = b"", call: CallContext = CALL, **params: Json) -> Json:
    return await send_webhook(http, secret, lambda: NOW).invoke({"payload": {"a": "ü"}, **params}, call)


async def test_the_payload_is_posted_as_json_and_the_answer_returned(
    http: ClientSession, receiver: Receiver
) -> None:
    receiver.answer = {"body": b'{"ok": true}', "content_type": "application/json", "status": 202}
    assert await send(http, url=receiver.url, headers={"X-Mine": "1"}) == {
        "url": receiver.url,
        "status": 202,
        "statusText": "Accepted",
        "success": True,
        "response": {"ok": True},
    }
    headers, body = receiver.got[0]
    assert body == '{"a":"ü"}'.encode()
    assert headers["Content-Type"] == "application/json"
    assert headers["User-Agent"] == "AsyncAgent/1.0"
    assert headers["Idempotency-Key"] == "run_1/001"
    assert headers["X-Mine"] == "1"
    assert "webhook-signature" not in headers


async def test_a_header_of_the_callers_replaces_ours_whatever_its_case(
    http: ClientSession, receiver: Receiver
) -> None:
    given = {"content-type": "application/cloudevents+json", "USER-AGENT": "Mine"}
    await send(http, url=receiver.url, headers=given)
    headers, _ = receiver.got[0]
    assert headers.getall("Content-Type") == ["application/cloudevents+json"]
    assert headers.getall("User-Agent") == ["Mine"]


@pytest.mark.parametrize("body", ["not json", '{"id": 18446744073709551617}', '{"n": NaN}'])
async def test_an_answer_that_is_not_json_is_text(http: ClientSession, receiver: Receiver, body: str) -> None:
    """So is JSON with an integer that would lose digits."""
    receiver.answer = {"body": body.encode(), "content_type": "application/json"}
    assert (await send(http, url=receiver.url))["response"] == body


async def test_the_beginning_of_a_huge_answer_is_kept(http: ClientSession, receiver: Receiver) -> None:
    receiver.answer = {"text": "x" * 3_000_000}
    assert (await send(http, url=receiver.url))["response"] == "x" * webhooks.MAX_RESPONSE


@pytest.mark.parametrize("status", [302, 400, 404, 410])
async def test_a_refusal_is_a_result_not_an_error(
    http: ClientSession, receiver: Receiver, status: int
) -> None:
    """Redirects count as refusals: following them would lose the body or send it where nobody asked."""
    receiver.answer = {"status": status, "headers": {"Location": "/hook"}}
    found = await send(http, url=receiver.url)
    assert (found["status"], found["success"]) == (status, False)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_error_of_the_receiver_is_retried(
    http: ClientSession, receiver: Receiver, status: int
) -> None:
    receiver.answer = {"status": status, "headers": {"Retry-After": "3"}}
    with pytest.raises(Retry, match=f"HTTP {status}") as later:
        await send(http, url=receiver.url)
    assert later.value.after == 3


async def test_a_receiver_that_never_answers_is_retried(
    http: ClientSession, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.discard_progress = True
    monkeypatch.setattr(webhooks, "TIMEOUT_S", 0.1)
    with pytest.raises(Retry, match="No answer"):
        await send(http, url=receiver.url)


async def test_private_receivers_are_blocked(receiver: Receiver) -> None:
    async with guarded_session(()) as http:
        with pytest.raises(Reject, match="Blocked address"):
            await send(http, url=receiver.url)
    assert receiver.got == []


async def test_every_attempt_carries_the_same_id_and_key_and_its_own_valid_signature(
    http: ClientSession, receiver: Receiver
) -> None:
    for _ in range(2):
        await send(http, b"secret", url=receiver.url)
    await send(http, b"secret", CallContext("run_1/002"), url=receiver.url)
    (first, body), (again, _), (other, _) = receiver.got
    assert first["webhook-id"] == again["webhook-id"] != other["webhook-id"]
    assert first["Idempotency-Key"] == again["Idempotency-Key"] != other["Idempotency-Key"]
    assert first["webhook-timestamp"] == "1700000000"
    assert first["webhook-signature"] == signature(b"secret", first["webhook-id"], 1_700_000_000, body)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    """The vector of the specification's own libraries, key `whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw`."""
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    found = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


async def test_a_key_that_no_header_can_hold_is_escaped(http: ClientSession, receiver: Receiver) -> None:
    await send(http, b"secret", CallContext("run_1/sté p\n"), url=receiver.url)
    assert receiver.got[0][0]["Idempotency-Key"] == "run_1/st%C3%A9%20p%0A"


@pytest.mark.parametrize("header", [{"X\nY": "1"}, {"X": "1\r\nHost: a"}, {"": "1"}])
async def test_headers_cannot_smuggle_others_in(
    http: ClientSession, receiver: Receiver, header: dict[str, str]
) -> None:
    with pytest.raises(Reject, match="these are not valid HTTP headers"):
        await send(http, url=receiver.url, headers=header)
    assert receiver.got == []


@pytest.mark.parametrize("levels", [90, 252, 1000])
async def test_an_answer_is_kept_however_deep_it_is_nested(
    http: ClientSession, receiver: Receiver, levels: int
) -> None:
    """A deep one as text. A result that no event can hold would be posted again and again."""
    nested = "[" * levels + "]" * levels
    receiver.answer = {"text": nested, "content_type": "application/json"}
    result = await send(http, url=receiver.url)
    assert isinstance(result["response"], str) == (levels > 100)
    assert len(receiver.got) == 1
