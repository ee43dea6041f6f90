"""Attachments: where they come from, their types, and how large they may be."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from contracts.core.outcome import Reject
from executor.tools import attachments as attachments_of
from tests.services.executor.tools.email.mail_server import MailServer, send


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


MALFORMED = [
    "Subject: Grün\r\n\r\nZoë",
    "Subject: x\r\nContent-Type: text/plain; charset=nonsense\r\n\r\nZoë",
    bytes(range(256)).decode("latin-1"),
]


@pytest.mark.parametrize("content", MALFORMED, ids=range(len(MALFORMED)))
async def test_a_malformed_mail_is_attached_byte_for_byte_or_refused_with_what_to_use(
    server: MailServer, artifacts: Path, content: str
) -> None:
    await send(server, artifacts, {"attachments": [{"filename": "a.eml", "content": content}]})
    (part,) = server.message.iter_attachments()
    assert (part.get_content_type(), part.get_filename()) == ("application/octet-stream", "a.eml")
    assert part.get_payload(decode=True) == content.encode()
    server.lines.clear()
    said = {"filename": "a.eml", "content": content, "contentType": "message/rfc822"}
    with pytest.raises(Reject, match=r"a\.eml is not an e-mail .* use application/octet-stream"):
        await send(server, artifacts, {"attachments": [said]})
    assert server.lines == []


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
