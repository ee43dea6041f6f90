"""Handing one message to an SMTP server, and what it means when that fails."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

from aiosmtplib import (
    SMTP,
    SMTPException,
    SMTPRecipientsRefused,
    SMTPResponse,
    SMTPResponseException,
)

from contracts.core.outcome import Reject, Retry
from executor.tools.settings import ToolSettings

IMPLICIT_TLS_PORT = 465
TIMEOUT_S = 20.0
"""Of each exchange with the server."""


class _Client(SMTP):
    """Remembers whether the message itself has begun to leave: before that, failing is harmless."""

    data_begun = False

    async def data(self, *args: Any, **kwargs: Any) -> SMTPResponse:
        self.data_begun = True
        return await super().data(*args, **kwargs)


async def deliver(message: EmailMessage, recipients: Sequence[str], settings: ToolSettings) -> dict[str, str]:
    """Send `message`; returns what the server said of the recipients it refused, if it took the others.

    Raises:
        Retry: not sent, and it may work later.
        Reject: not sent, and it never will be; or the connection broke when it may have been sent.
    """
    implicit_tls = settings.smtp_port == IMPLICIT_TLS_PORT
    client = _Client(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user or None,
        password=settings.smtp_pass.get_secret_value() or None,
        use_tls=implicit_tls,
        start_tls=False if implicit_tls else None,
        timeout=TIMEOUT_S,
    )
    try:
        async with client:
            refused, _ = await client.send_message(message, recipients=list(recipients))
    except (OSError, SMTPException) as error:
        raise _outcome(error, client.data_begun, f"{settings.smtp_host}:{settings.smtp_port}") from error
    return {address: f"{code} {text}" for address, (code, text) in refused.items()}


def _outcome(error: OSError | SMTPException, data_begun: bool, server: str) -> Retry | Reject:
    match error:
        case SMTPRecipientsRefused():
            codes = [refusal.code for refusal in error.recipients]
            said = "; ".join(f"{r.recipient}: {r.code} {r.message}" for r in error.recipients)
        case SMTPResponseException():
            codes, said = [error.code], f"{error.code} {error.message}"
        case OSError() if data_begun:
            return Reject(
                f"The connection to {server} broke while the message was being sent: {error}; "
                "it may have been sent. Check, then resume to send it again"
            )
        case OSError():
            return Retry(f"Cannot reach the mail server {server}: {error}")
        case _:
            codes, said = [500], str(error)
    if any(400 <= code < 500 for code in codes):
        return Retry(f"The mail server {server} refused for now: {said}")
    return Reject(f"The mail server {server} refused: {said}")
