"""What is sent, to whom, and how it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.core.event import Json
from contracts.core.outcome import Reject
from tests.services.executor.tools.email.mail_server import MailServer, send


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


async def test_a_subject_with_an_encoded_word_is_shown_decoded(server: MailServer, artifacts: Path) -> None:
    await send(server, artifacts, {"subject": "=?utf-8?q?Gr=C3=BC=C3=9Fe?="})
    assert server.message["Subject"] == "Grüße"
