"""What is tried again, what is final, and what may have been sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.core.outcome import Reject, Retry
from tests.services.executor.tools.email.mail_server import HANG_UP, MailServer, send


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
async def test_a_mail_that_was_certainly_not_sent_is_retried(
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


async def test_a_server_that_is_not_there_is_retried(server: MailServer, artifacts: Path) -> None:
    with pytest.raises(Retry, match="Cannot reach the mail server"):
        await send(server, artifacts, {}, smtp_port=1)
