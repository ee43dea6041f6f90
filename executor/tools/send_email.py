"""sendEmail: sends one message by SMTP, with attachments from the artifacts folder or from the call."""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime, parseaddr
from typing import Annotated

from pydantic import BeforeValidator, Field

from contracts.core.event import Json
from contracts.core.ids import derived_id
from contracts.core.outcome import Reject
from contracts.core.tool import Effect, OutputSpec, Outward, Source
from executor.tools.artifacts import Artifacts
from executor.tools.attachments import Attachment, attach
from executor.tools.inputs import EmailAddress, Line, ToolInput
from executor.tools.settings import ToolSettings
from executor.tools.threads import FILES
from executor.tools.tool import CallContext, Tool

_REQUIRED = {"smtp_host": "SMTP_HOST", "smtp_from": "SMTP_FROM"}


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Recipients = Annotated[
    list[EmailAddress], BeforeValidator(_as_list, json_schema_input_type=EmailAddress | list[EmailAddress])
]


class SendEmail(ToolInput):
    """The message to send."""

    to: EmailAddress = Field(description="Receiver")
    subject: Line = Field(description="Subject line")
    body: str = Field(description="Text of the message")
    cc: Recipients = Field(default_factory=list, description="Receivers of a copy")
    bcc: Recipients = Field(
        default_factory=list, description="Receivers of a copy that the others do not see"
    )
    html: bool = Field(default=False, description="Whether body is HTML")
    attachments: list[Attachment] = Field(default_factory=list, description="Files to attach")


def send_email(settings: ToolSettings, artifacts: Artifacts) -> Tool[SendEmail]:
    """The tool sendEmail. It uses the SMTP server in `settings`."""

    async def run(request: SendEmail, call: CallContext) -> Json:
        _require(settings)
        message = await FILES.run(compose, request, settings.smtp_from, artifacts, call.idempotency_key)
        from executor.tools.smtp import deliver  # noqa: PLC0415  aiosmtplib is slow to import

        refused = await deliver(message, [request.to, *request.cc, *request.bcc], settings)
        return {
            "success": True,
            "messageId": message["Message-ID"],
            "to": request.to,
            "subject": request.subject,
            "attachmentCount": len(request.attachments),
            **({"refused": refused} if refused else {}),
        }

    return Tool(
        name="sendEmail",
        description="Send an e-mail, plain text or HTML, with attachments if wanted.",
        accepts=SendEmail,
        effect=Effect.ONCE,
        run=run,
        output=OutputSpec(kind="email", fields=("to", "subject", "messageId")),
        outward=Outward(kind="email", parameters=("to", "cc", "bcc")),
        source=Source.CALL,
        timeout_s=120,
    )


def compose(request: SendEmail, sender: str, artifacts: Artifacts, idempotency_key: str) -> EmailMessage:
    """The message. Its Message-ID is derived from the key, so receivers recognise a repetition.

    Raises:
        Reject: an attachment does not exist, is outside the artifacts folder, not base64, or too large.
    """
    in_ascii = "".join([request.to, *request.cc]).isascii()
    message = EmailMessage(policy=SMTP if in_ascii else SMTPUTF8)
    message["From"] = sender
    message["To"] = request.to
    if request.cc:
        message["Cc"] = ", ".join(request.cc)
    message["Subject"] = request.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{derived_id('', idempotency_key)}@{domain}>"
    message.set_content(request.body, subtype="html" if request.html else "plain")
    attach(message, request.attachments, artifacts)
    return message


def _require(settings: ToolSettings) -> None:
    missing = [variable for field, variable in _REQUIRED.items() if not getattr(settings, field)]
    if settings.smtp_user and not settings.smtp_pass.get_secret_value():
        missing.append("SMTP_PASS")
    if settings.smtp_pass.get_secret_value() and not settings.smtp_user:
        missing.append("SMTP_USER")
    if missing:
        raise Reject(f"E-mail is not configured: set {', '.join(missing)}")
