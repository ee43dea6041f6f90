"""sendEmail: one message by SMTP, with attachments from the artifacts folder or given in the call."""

from __future__ import annotations

import asyncio
import base64
import mimetypes
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from contracts.core.event import Json
from contracts.core.ids import derived_id
from contracts.core.outcome import Reject
from contracts.core.tool import Effect, OutputSpec
from executor.tools.artifacts import Artifacts
from executor.tools.inputs import EmailAddress, ToolInput
from executor.tools.settings import ToolSettings
from executor.tools.tool import CallContext, Tool

MAX_ATTACHMENTS = 20 * 1024 * 1024
"""Bytes of all attachments together; servers refuse more than that."""
_REQUIRED = {"smtp_host": "SMTP_HOST", "smtp_from": "SMTP_FROM"}


def _one_line(text: str) -> str:
    if "\0" in text or text.splitlines() not in ([], [text]):
        raise ValueError("it must be a single line")
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


Line = Annotated[str, AfterValidator(_one_line)]
Recipients = Annotated[
    list[EmailAddress], BeforeValidator(_as_list, json_schema_input_type=EmailAddress | list[EmailAddress])
]


class Attachment(ToolInput):
    """A file to attach."""

    filename: Line = Field(min_length=1, description="Name the receiver sees")
    path: str | None = Field(default=None, description="File in the artifacts directory")
    content: str | None = Field(default=None, description="The content itself, instead of path")
    content_type: str | None = Field(
        default=None,
        pattern=r"^[\w.+-]+/[\w.+-]+$",
        description="Media type; guessed from the filename if absent",
    )
    encoding: Literal["base64", "utf-8"] = Field(
        default="utf-8", description="How content is to be understood"
    )

    @model_validator(mode="after")
    def _has_one_source(self) -> Attachment:
        if (self.path and self.content) or (not self.path and self.content is None):
            raise ValueError("give either path or content")
        return self


class SendEmail(ToolInput):
    """What to send to whom."""

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
    """The tool, sending through the server that `settings` names."""

    async def run(request: SendEmail, call: CallContext) -> Json:
        _require(settings)
        message = await asyncio.to_thread(
            compose, request, settings.smtp_from, artifacts, call.idempotency_key
        )
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
        timeout_s=120,
    )


def compose(request: SendEmail, sender: str, artifacts: Artifacts, idempotency_key: str) -> EmailMessage:
    """The message. Its Message-ID follows from the key, so that receivers recognise a repetition.

    Raises:
        Reject: an attachment is not there, outside the artifacts folder, not base64, or too large.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = request.to
    if request.cc:
        message["Cc"] = ", ".join(request.cc)
    message["Subject"] = request.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    message["Message-ID"] = f"<{derived_id('', idempotency_key)}@{domain}>"
    message.set_content(request.body, subtype="html" if request.html else "plain")
    _attach(message, request.attachments, artifacts)
    return message


def _attach(message: EmailMessage, attachments: Sequence[Attachment], artifacts: Artifacts) -> None:
    left = MAX_ATTACHMENTS
    for attachment in attachments:
        data = _data_of(attachment, artifacts, left)
        left -= len(data)
        guessed = mimetypes.guess_type(attachment.filename)[0]
        maintype, _, subtype = (attachment.content_type or guessed or "application/octet-stream").partition(
            "/"
        )
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename=attachment.filename)


def _data_of(attachment: Attachment, artifacts: Artifacts, limit: int) -> bytes:
    if attachment.path:
        data, size = artifacts.read_at_most(attachment.path, limit)
    else:
        data = _decoded(attachment)
        size = len(data)
    if size > limit:
        raise Reject(
            f"The attachments are larger than {MAX_ATTACHMENTS // 1024 // 1024} MiB; send a link instead"
        )
    return data


def _decoded(attachment: Attachment) -> bytes:
    content = attachment.content or ""
    if attachment.encoding == "utf-8":
        return content.encode()
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except ValueError as error:
        raise Reject(f"The content of attachment {attachment.filename} is not base64: {error}") from error


def _require(settings: ToolSettings) -> None:
    missing = [variable for field, variable in _REQUIRED.items() if not getattr(settings, field)]
    if settings.smtp_user and not settings.smtp_pass.get_secret_value():
        missing.append("SMTP_PASS")
    if settings.smtp_pass.get_secret_value() and not settings.smtp_user:
        missing.append("SMTP_USER")
    if missing:
        raise Reject(f"E-mail is not configured: set {', '.join(missing)}")
