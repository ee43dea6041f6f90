"""Sends one message to an SMTP server, and classifies failures."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import EmailMessage
from ssl import SSLCertVerificationError
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
"""Maximum seconds of each exchange with the server."""


class _Client(SMTP):
    """Records whether sending the message has begun: a failure before that is safe to retry."""

    data_begun = False

    async def data(self, *args: Any, **kwargs: Any) -> SMTPResponse:
        self.data_begun = True
        return await super().data(*args, **kwargs)

    async def ensure_tls(self, *, required: bool) -> None:
        """Start TLS if the server offers it.

        Raises:
            Reject: TLS is required, and the server does not offer it.
        """
        await self._ehlo_or_helo_if_needed()
        if self.supports_extension("starttls"):
            await self.starttls()
        elif required:
            raise Reject(
                f"The mail server {self.hostname}:{self.port} offers no TLS, so the password is not sent. "
                "Use a port with TLS, or set SMTP_TLS=off to send without"
            )


async def deliver(message: EmailMessage, recipients: Sequence[str], settings: ToolSettings) -> dict[str, str]:
    """Send `message`. Returns the refused recipients, each with the answer of the server.

    Raises:
        Retry: the message was not sent; it may work later.
        Reject: the message cannot be sent, or the connection broke and it may have been sent.
    """
    user, password = settings.smtp_user, settings.smtp_pass.get_secret_value()
    with_tls = settings.smtp_tls != "off"
    implicit_tls = with_tls and settings.smtp_port == IMPLICIT_TLS_PORT
    client = _Client(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        use_tls=implicit_tls,
        start_tls=False,
        timeout=TIMEOUT_S,
    )
    try:
        async with client:
            if with_tls and not implicit_tls:
                await client.ensure_tls(required=bool(password) or settings.smtp_tls == "required")
            if user:
                await client.login(user, password)
            refused, _ = await client.send_message(message, recipients=list(recipients))
    except (OSError, SMTPException) as error:
        raise _outcome(error, client.data_begun, f"{settings.smtp_host}:{settings.smtp_port}") from error
    return {address: f"{code} {text}" for address, (code, text) in refused.items()}


def _outcome(error: OSError | SMTPException, data_begun: bool, server: str) -> Retry | Reject:
    if isinstance(error.__cause__ or error, SSLCertVerificationError):
        return Reject(
            f"The certificate of the mail server {server} is not valid: {error}. "
            "Set SSL_CERT_FILE to the certificate of the authority that signed it"
        )
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
