"""What is no request in HTTP is answered in JSON too, and logged in one line."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import orjson
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway.api.tasks import endpoints as tasks
from gateway.http import bodies, forms, protocol
from gateway.http.forms import Form, FormMemory
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.services.conftest import Api, StartGateway

HOST = b"Host: localhost\r\n"


async def sent(api: Api, raw: bytes) -> tuple[bytes, bytes, Any]:
    """The status line and the headers of what is answered to these bytes, and its JSON."""
    reader, writer = await asyncio.open_connection(api.url.host, api.url.port)
    writer.write(raw)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    return status, headers, orjson.loads(body)


@pytest.mark.parametrize(
    ("raw", "status", "reason", "message"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST, 431, "Request Header Fields Too Large", "shorten"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 9000 + b"\r\n", 431, "Request Header Fields Too Large", "8190"),
        (b"BREW / HTTP/1.1\r\n" + HOST, 400, "Bad Request", "Invalid method encountered: b'BREW / HTTP/1.1'"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "Bad Request", "HTTPS traffic"),
        (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: x\r\n", 400, "Bad Request", "Content-Length: x"),
        (b"GET / HTTP/1.1\r\nno colon\r\n", 400, "Bad Request", "no colon"),
        (b"GET / HTTP/1.1\r\n", 400, "Bad Request", "Missing 'Host' header"),
        (b"GET / HTTP/3.7\r\n" + HOST, 400, "Bad Request", "HTTP version"),
    ],
    ids=["url", "header", "method", "tls", "length", "colon", "host", "version"],
)
async def test_invalid_http_is_answered_in_json(
    api: Api, caplog: pytest.LogCaptureFixture, raw: bytes, status: int, reason: str, message: str
) -> None:
    with capture_logs() as logs, caplog.at_level(logging.INFO):
        line, headers, body = await sent(api, raw + b"\r\n")

    assert line.split()[1] == str(status).encode()
    assert b"Content-Type: application/json; charset=utf-8" in headers
    assert body == {"statusCode": status, "error": reason, "message": body["message"]}
    assert message in body["message"]
    assert "\n" not in body["message"]
    (logged,) = [one for one in logs if one["event"] == "not a request in HTTP"]
    assert (logged["log_level"], logged["error"]) == ("info", body["message"])
    assert not caplog.records


@pytest.mark.parametrize("path", ["dags?q=", "dags/", "artifacts/"])
async def test_the_document_says_that_a_url_may_be_too_long(api: Api, path: str) -> None:
    """Answers that it does not name fail any test."""
    assert (await api.get(f"/api/v1/{path}{'x' * 9000}")).status == 431


@pytest.mark.parametrize("path", [b"/health", b"/nowhere"])
async def test_an_unknown_expect_header_is_refused_in_json(api: Api, path: bytes) -> None:
    raw = b"GET %s HTTP/1.1\r\n%sConnection: close\r\nExpect: the best\r\n\r\n"
    line, headers, body = await sent(api, raw % (path, HOST))

    assert line.split()[1] == b"417"
    assert b"Content-Type: application/json; charset=utf-8" in headers
    message = "Unknown Expect: the best: send 100-continue, or leave that header out"
    assert body == {"statusCode": 417, "error": "Expectation Failed", "message": message}


async def test_the_next_connection_is_served(api: Api) -> None:
    await sent(api, b"BREW / HTTP/1.1\r\n\r\n")
    assert (await api.get("/health")).status == 200


@pytest.mark.parametrize("sent_at_first", [b"", b"GET / HTTP/1.1\r\nHost: loc"], ids=["nothing", "half"])
async def test_a_connection_without_a_whole_head_is_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch, sent_at_first: bytes
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 0.01)
    reader, writer = await asyncio.open_connection(api.url.host, api.url.port)
    writer.write(sent_at_first)
    assert await reader.read() == b""
    writer.close()


async def test_a_body_that_does_not_arrive_is_refused_and_its_connection_closed(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "BODY_S", 0.01)
    monkeypatch.setattr(forms, "FORM_S", 0.01)
    monkeypatch.setattr(protocol, "LINGER_S", 0.01)
    head = b"POST /api/v1/%s HTTP/1.1\r\n%sContent-Length: 9\r\nContent-Type: %s\r\n\r\n"
    form = b"multipart/form-data; boundary=x"
    for path, media_type in ((b"agents", b"application/json"), (b"task", form)):
        line, _, body = await sent(api, head % (path, HOST, media_type))
        assert line.split()[1] == b"408"
        assert body["message"] == "The body did not arrive within 0.01 s: send it faster"


async def test_one_connection_too_many_is_answered_503(start_gateway: StartGateway) -> None:
    api = await start_gateway(max_connections=1)
    assert (await api.get("/health")).status == 200
    line, headers, body = await sent(api, b"")
    assert line.split()[1] == b"503"
    assert b"Retry-After: 1" in headers
    assert body["message"] == "Too many open connections: try again in a moment"
    assert (await api.get("/health")).status == 200


async def test_a_client_that_leaves_in_the_middle_of_its_form_is_one_line_for_debugging(
    api: Api, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, left = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def form_of(request: web.Request, room: FormMemory) -> AsyncGenerator[Form]:
        reading.set()
        try:
            async with forms.form_of(request, room) as form:
                yield form
        finally:
            left.set()

    monkeypatch.setattr(tasks, "form_of", form_of)
    head = b"POST /api/v1/task HTTP/1.1\r\n%sContent-Type: multipart/form-data; boundary=x\r\n" % HOST
    part = b'--x\r\nContent-Disposition: form-data; name="prompt"\r\n\r\n' + b"a" * 10_000
    with capture_logs() as logs, caplog.at_level(logging.INFO):
        _, writer = await asyncio.open_connection(api.url.host, api.url.port)
        writer.write(head + b"Content-Length: 9000000\r\n\r\n" + part)
        await asyncio.wait_for(reading.wait(), WAIT_S)
        writer.transport.abort()
        await asyncio.wait_for(left.wait(), WAIT_S)
        await api.stop()

    assert [one["log_level"] for one in logs if "disconnected" in one["event"]] == ["debug"]
    assert not [one for one in logs if one["log_level"] in {"warning", "error"}]
    assert not caplog.records
