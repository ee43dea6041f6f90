"""Passwords and encryption on the way to the mail server."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path
from unittest.mock import patch

import pytest
import trustme

from contracts.core.outcome import Reject, Retry
from executor.tools import smtp
from tests.services.executor.tools.email.mail_server import MailServer, send


async def test_it_logs_in_when_given_a_user(server: MailServer, artifacts: Path) -> None:
    server.extensions = ["AUTH PLAIN"]
    server.replies["AUTH"] = "235 welcome"
    await send(server, artifacts, {}, smtp_user="u", smtp_pass="p", smtp_tls="off")
    credentials = base64.b64encode(b"\0u\0p").decode()
    assert f"AUTH PLAIN {credentials}" in server.lines


async def test_a_wrong_password_is_final(server: MailServer, artifacts: Path) -> None:
    server.extensions = ["AUTH PLAIN"]
    server.replies["AUTH"] = "535 no"
    with pytest.raises(Reject, match="535 no"):
        await send(server, artifacts, {}, smtp_user="u", smtp_pass="p", smtp_tls="off")


@pytest.mark.parametrize(
    "settings", [{"smtp_user": "u", "smtp_pass": "p"}, {"smtp_tls": "required"}], ids=["password", "required"]
)
async def test_a_password_is_never_sent_in_clear_unless_tls_is_off(
    server: MailServer, artifacts: Path, settings: dict[str, str]
) -> None:
    server.extensions = ["AUTH PLAIN"]
    with pytest.raises(Reject, match=r"offers no TLS.*SMTP_TLS=off"):
        await send(server, artifacts, {}, **settings)
    assert [line.split()[0] for line in server.lines] == ["EHLO", "QUIT"]
    assert server.messages == []


async def test_with_tls_off_starttls_is_not_used(server: MailServer, artifacts: Path) -> None:
    server.extensions = ["STARTTLS"]
    await send(server, artifacts, {}, smtp_tls="off")
    assert "STARTTLS" not in server.lines
    assert len(server.messages) == 1


async def test_an_untrusted_certificate_is_a_final_error(artifacts: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", ssl=context) as listening:
        port = listening.sockets[0].getsockname()[1]
        with patch.object(smtp, "IMPLICIT_TLS_PORT", port), pytest.raises(Reject, match="SSL_CERT_FILE"):
            await send(MailServer(port), artifacts, {})


async def test_starttls_is_used_where_offered(server: MailServer, artifacts: Path) -> None:
    server.extensions = ["STARTTLS"]
    server.replies["STARTTLS"] = "454 not now"
    with pytest.raises(Retry, match="454 not now"):
        await send(server, artifacts, {})
    assert server.messages == []


async def test_port_465_speaks_tls_from_the_first_byte(
    artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first.set_result(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1") as listening:
        port = listening.sockets[0].getsockname()[1]
        monkeypatch.setattr(smtp, "IMPLICIT_TLS_PORT", port)
        with pytest.raises(Retry, match="Cannot reach the mail server"):
            await send(MailServer(port), artifacts, {})
    assert await first == b"\x16"
