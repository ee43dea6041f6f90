"""sendEmail against a small SMTP server."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import trustme

from contracts.core.event import Json
from contracts.core.outcome import Reject, Retry
from executor.tools import attachments as attachments_of
from executor.tools import smtp
from executor.tools.artifacts import Artifacts
from executor.tools.send_email import send_email
from executor.tools.settings import ToolSettings
from executor.tools.tool import CallContext

CALL = CallContext("run_1/001")
HANG_UP = "hang up"


@dataclass
class MailServer:
    """Speaks just enough SMTP. `replies` overrides what it says to a verb, or to a whole line."""

    port: int = 0
    replies: dict[str, str] = field(default_factory=dict)
    extensions: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    messages: list[bytes] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greeting = self.replies.get("greeting", "220 test")
        if greeting != HANG_UP:
            writer.write(f"{greeting}\r\n".encode())
            while line := (await reader.readline()).decode().rstrip("\r\n"):
                self.lines.append(line)
                if (reply := await self._reply(line, reader, writer)) == HANG_UP:
                    break
                writer.write(f"{reply}\r\n".encode())
        writer.close()

    async def _reply(self, line: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        verb = line.partition(" ")[0].upper()
        reply = self.replies.get(line, self.replies.get(verb, ""))
        if reply:
            return reply
        if verb == "EHLO":
            return "\r\n".join(
                ["250-test", *(f"250-{extension}" for extension in self.extensions), "250 HELP"]
            )
        if verb == "DATA":
            writer.write(b"354 go on\r\n")
            self.messages.append(await reader.readuntil(b"\r\n.\r\n"))
            return self.replies.get("message", "250 taken")
        return "221 bye" if verb == "QUIT" else "250 ok"

    @property
    def message(self) -> EmailMessage:
        """The one message received."""
        [content] = self.messages
        parsed = message_from_bytes(content.removesuffix(b".\r\n"), policy=default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    @property
    def recipients(self) -> list[str]:
        return [line.split("<")[1].split(">")[0] for line in self.lines if line.startswith("RCPT")]


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    found = MailServer()
    async with await asyncio.start_server(found.talk, "127.0.0.1") as listening:
        found.port = listening.sockets[0].getsockname()[1]
        yield found


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A folder of artifacts with one file."""
    root = tmp_path / "artifacts"
    root.mkdir()
    (root / "report.pdf").write_bytes(b"%PDF\x00\xff")
    (tmp_path / "secret.txt").write_text("secret")
    return root


async def send(server: MailServer, artifacts: Path, params: dict[str, Json], **settings: Any) -> Json:
    given = {
        "smtp_host": "127.0.0.1",
        "smtp_port": server.port,
        "smtp_from": "Agent <agent@a.example>",
        **settings,
    }
    tool = send_email(ToolSettings(_env_file=None, **given), Artifacts(artifacts))
    return await tool.invoke({"to": "to@b.example", "subject": "Hi", "body": "Hello Zoë", **params}, CALL)


async def test_a_message_is_sent_and_said_to_be(server: MailServer, artifacts: Path) -> None:
    found = await send(server, artifacts, {"subject": "Grüße"})
    assert found == {
        "success": True,
        "messageId": server.message["Message-ID"],
        "to": "to@b.example",
        "subject": "Grüße",
        "attachmentCount": 0,
    }
    assert server.message["From"] == "Agent <agent@a.example>"
    assert server.message["Subject"] == "Grüße"
    assert server.message.get_content() == "Hello Zoë\n"
    assert server.message.get_content_type() == "text/plain"
    assert server.lines[-1] == "QUIT"


async def test_html_is_sent_as_html(server: MailServer, artifacts: Path) -> None:
    await send(server, artifacts, {"body": "<p>Hi</p>", "html": True})
    assert server.message.get_content_type() == "text/html"


async def test_every_receiver_gets_it_and_blind_copies_stay_unseen(
    server: MailServer, artifacts: Path
) -> None:
    await send(server, artifacts, {"cc": "c1@b.example", "bcc": ["b1@b.example", "b2@b.example"]})
    assert server.recipients == ["to@b.example", "c1@b.example", "b1@b.example", "b2@b.example"]
    assert server.message["Cc"] == "c1@b.example"
    assert b"b1@b.example" not in server.messages[0]


async def test_the_message_id_is_the_same_for_every_attempt_at_one_step(
    server: MailServer, artifacts: Path
) -> None:
    first = await send(server, artifacts, {})
    again = await send(server, artifacts, {})
    assert first["messageId"] == again["messageId"]
    assert first["messageId"].endswith("@a.example>")


async def test_attachments_come_from_the_folder_or_the_call(server: MailServer, artifacts: Path) -> None:
    attachments = [
        {"filename": "report.pdf", "path": "report.pdf"},
        {"filename": "note.txt", "content": "Zoë"},
        {
            "filename": "x",
            "content": base64.b64encode(b"\x00\x01").decode(),
            "encoding": "base64",
            "contentType": "image/png",
        },
    ]
    found = await send(server, artifacts, {"attachments": attachments})
    assert found["attachmentCount"] == 3
    parts = [
        (part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
        for part in server.message.iter_attachments()
    ]
    assert parts == [
        ("report.pdf", "application/pdf", b"%PDF\x00\xff"),
        ("note.txt", "text/plain", "Zoë".encode()),
        ("x", "image/png", b"\x00\x01"),
    ]


@pytest.mark.parametrize(
    ("filename", "media_type"),
    [
        ("data.csv.gz", "application/gzip"),
        ("data.tar.bz2", "application/x-bzip2"),
        ("data.json.xz", "application/x-xz"),
        ("page.mhtml", "application/octet-stream"),
        ("noname", "application/octet-stream"),
        ("REPORT.PDF", "application/pdf"),
    ],
)
async def test_a_file_is_of_the_type_that_its_bytes_are_of_not_of_what_is_packed_in_it(
    server: MailServer, artifacts: Path, filename: str, media_type: str
) -> None:
    await send(server, artifacts, {"attachments": [{"filename": filename, "content": "x"}]})
    (part,) = server.message.iter_attachments()
    assert part.get_content_type() == media_type


async def test_an_attached_mail_opens_as_a_mail(server: MailServer, artifacts: Path) -> None:
    inner = "From: a@b.example\r\nSubject: Gr=?utf-8?q?=C3=BC?=n\r\n\r\nHello\r\n"
    for attachment in (
        {"filename": "kept.eml", "content": inner},
        {"filename": "kept", "content": inner, "contentType": "message/rfc822"},
    ):
        server.messages.clear()
        await send(server, artifacts, {"attachments": [attachment]})
        (part,) = server.message.iter_attachments()
        assert part.get_content_type() == "message/rfc822"
        assert part["Content-Transfer-Encoding"] in (None, "7bit", "8bit")
        assert part.get_content().get_content().strip() == "Hello"
        assert part.get_filename() == attachment["filename"]


async def test_an_attached_mail_beyond_ascii_is_made_seven_bits_for_a_server_that_needs_it(
    server: MailServer, artifacts: Path
) -> None:
    headers = "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    inner = f"{headers}\r\nZoë\r\n"
    await send(server, artifacts, {"body": "x", "attachments": [{"filename": "a.eml", "content": inner}]})
    (part,) = server.message.iter_attachments()
    assert server.messages[0].isascii()
    assert part.get_content().get_content().strip() == "Zoë"


@pytest.mark.parametrize("filename", ["a.txt", "a.csv", "a.html"])
async def test_attached_text_says_that_it_is_utf8(server: MailServer, artifacts: Path, filename: str) -> None:
    await send(server, artifacts, {"attachments": [{"filename": filename, "content": "Zoë"}]})
    (part,) = server.message.iter_attachments()
    assert part.get_content_charset() == "utf-8"
    assert part.get_content().rstrip("\n") == "Zoë"


async def test_attached_text_of_another_encoding_claims_none(server: MailServer, artifacts: Path) -> None:
    (artifacts / "old.txt").write_bytes("Zoë".encode("latin-1"))
    await send(server, artifacts, {"attachments": [{"filename": "old.txt", "path": "old.txt"}]})
    (part,) = server.message.iter_attachments()
    assert (part.get_content_charset(), part.get_payload(decode=True)) == (None, "Zoë".encode("latin-1"))


@pytest.mark.parametrize(
    "media_type",
    ["message/delivery-status", "message/partial", "MESSAGE/External-Body", "multipart/mixed"],
)
async def test_a_type_that_cannot_be_attached_is_refused_with_what_to_use(
    server: MailServer, artifacts: Path, media_type: str
) -> None:
    attachment = {"filename": "a", "content": "x", "contentType": media_type}
    with pytest.raises(Reject, match=f"{media_type} cannot be attached: use message/rfc822"):
        await send(server, artifacts, {"attachments": [attachment]})
    assert server.lines == []


async def test_an_address_beyond_ascii_is_written_to_where_the_server_takes_it(
    server: MailServer, artifacts: Path
) -> None:
    server.extensions = ["SMTPUTF8", "8BITMIME"]
    await send(server, artifacts, {"to": "jörg@b.example", "cc": "zoë@b.example"})
    assert server.recipients == ["jörg@b.example", "zoë@b.example"]
    assert "To: jörg@b.example".encode() in server.messages[0]
    assert any(line.startswith("MAIL") and "SMTPUTF8" in line for line in server.lines)


async def test_an_address_beyond_ascii_is_refused_where_the_server_does_not_take_it(
    server: MailServer, artifacts: Path
) -> None:
    with pytest.raises(Reject, match="SMTPUTF8 is not supported"):
        await send(server, artifacts, {"to": "jörg@b.example"})
    assert server.messages == []


async def test_a_domain_beyond_ascii_is_written_in_ascii(server: MailServer, artifacts: Path) -> None:
    found = await send(server, artifacts, {"to": "info@bücher.example"})
    assert server.recipients == ["info@xn--bcher-kva.example"]
    assert found["to"] == "info@xn--bcher-kva.example"


@pytest.mark.parametrize("path", ["../secret.txt", "/etc/passwd", "link", "missing.txt"])
async def test_no_attachment_comes_from_outside_the_folder(
    server: MailServer, artifacts: Path, path: str
) -> None:
    (artifacts / "link").symlink_to("../secret.txt")
    with pytest.raises(Reject):
        await send(server, artifacts, {"attachments": [{"filename": "a", "path": path}]})
    assert server.lines == []


@pytest.mark.parametrize(
    "attachment",
    [
        {"filename": "a"},
        {"filename": "a", "path": "report.pdf", "content": "x"},
        {"filename": "a", "content": "?", "encoding": "base64"},
        {"filename": "a", "content": "x", "contentType": "text"},
        {"filename": "a\r\nX: y", "content": "x"},
        {"content": "x"},
    ],
)
async def test_an_attachment_that_makes_no_sense_is_rejected(
    server: MailServer, artifacts: Path, attachment: dict[str, str]
) -> None:
    with pytest.raises(Reject):
        await send(server, artifacts, {"attachments": [attachment]})
    assert server.lines == []


async def test_attachments_together_must_not_be_too_large(
    server: MailServer, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attachments_of, "MAX_BYTES", 8)
    six_bytes_each = [{"filename": "a", "path": "report.pdf"}, {"filename": "b", "content": "123456"}]
    for attachments in (six_bytes_each, six_bytes_each[::-1]):
        with pytest.raises(Reject, match="larger than"):
            await send(server, artifacts, {"attachments": attachments})
    assert server.lines == []


@pytest.mark.parametrize(
    "params",
    [
        {"subject": "Hi\r\nBcc: evil@c.example"},
        {"subject": "Hi\u2028there"},
        {"subject": "Hi\n"},
        {"subject": "=?utf-8?q?x=0d=0aReply-To:_e@e?="},
        {"subject": "=?utf-8?b?eA0KUmVwbHktVG86IGVAZQ==?="},
        {"subject": "a=?us-ascii?q?x=0aReply-To:_e@e?= b"},
        {"to": '"=?utf-8?q?x=0d=0aBcc:_e@e?="@b.example'},
        {"attachments": [{"filename": "=?utf-8?q?x=0d=0aReply-To:_e@e?=", "content": "x"}]},
        {"attachments": [{"filename": "a =?utf-8?q?x=0aReply-To:_e@e?=.txt", "content": "x"}]},
        {"to": "to@b.example\r\nBcc: evil@c.example"},
        {"to": "to@b.example, evil@c.example"},
        {"cc": ["fine@b.example", "not an address"]},
    ],
)
async def test_no_field_can_smuggle_in_a_header(
    server: MailServer, artifacts: Path, params: dict[str, Json]
) -> None:
    with pytest.raises(Reject, match="Invalid parameters for sendEmail"):
        await send(server, artifacts, params)
    assert server.lines == []


@pytest.mark.parametrize(
    ("settings", "missing"),
    [
        ({"smtp_host": "", "smtp_from": ""}, "set SMTP_HOST, SMTP_FROM"),
        ({"smtp_from": ""}, "set SMTP_FROM"),
        ({"smtp_user": "u"}, "set SMTP_PASS"),
        ({"smtp_pass": "p"}, "set SMTP_USER"),
    ],
)
async def test_without_settings_it_says_what_to_set(
    server: MailServer, artifacts: Path, settings: dict[str, str], missing: str
) -> None:
    with pytest.raises(Reject, match=f"E-mail is not configured: {missing}$"):
        await send(server, artifacts, {}, **settings)


async def test_a_subject_with_an_encoded_word_is_shown_decoded(server: MailServer, artifacts: Path) -> None:
    await send(server, artifacts, {"subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?="})
    assert server.message["Subject"] == "Grüße"


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


async def test_a_certificate_that_nobody_vouches_for_is_final(artifacts: Path) -> None:
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


@pytest.mark.parametrize(
    "replies",
    [
        {"greeting": HANG_UP},
        {"greeting": "421 busy"},
        {"EHLO": HANG_UP},
        {"MAIL": "451 later"},
        {"MAIL": HANG_UP},
        {"RCPT": "450 greylisted"},
        {"RCPT": HANG_UP},
        {"message": "452 disk full"},
    ],
)
async def test_what_was_surely_not_sent_is_tried_again(
    server: MailServer, artifacts: Path, replies: dict[str, str]
) -> None:
    server.replies = replies
    with pytest.raises(Retry):
        await send(server, artifacts, {})


@pytest.mark.parametrize(
    "replies",
    [
        {"greeting": "554 go away"},
        {"MAIL": "550 not you"},
        {"RCPT": "550 nobody here"},
        {"DATA": "554 no valid recipients"},
        {"message": "554 spam"},
    ],
)
async def test_a_refusal_is_final(server: MailServer, artifacts: Path, replies: dict[str, str]) -> None:
    server.replies = replies
    [said] = replies.values()
    with pytest.raises(Reject, match=said):
        await send(server, artifacts, {})


async def test_a_connection_lost_after_the_message_may_have_sent_it(
    server: MailServer, artifacts: Path
) -> None:
    server.replies = {"message": HANG_UP}
    with pytest.raises(Reject, match="it may have been sent"):
        await send(server, artifacts, {})


async def test_a_connection_lost_after_the_message_was_taken_changes_nothing(
    server: MailServer, artifacts: Path
) -> None:
    server.replies = {"QUIT": HANG_UP}
    assert (await send(server, artifacts, {}))["success"] is True


async def test_receivers_that_were_refused_are_named(server: MailServer, artifacts: Path) -> None:
    server.replies = {"RCPT TO:<c1@b.example>": "550 nobody here"}
    found = await send(server, artifacts, {"cc": ["c1@b.example"]})
    assert found["success"] is True
    assert found["refused"] == {"c1@b.example": "550 nobody here"}


async def test_a_server_that_is_not_there_is_tried_again(server: MailServer, artifacts: Path) -> None:
    with pytest.raises(Retry, match="Cannot reach the mail server"):
        await send(server, artifacts, {}, smtp_port=1)
