"""Attachments of an e-mail: their content and their MIME parts."""

from __future__ import annotations

import base64
import mimetypes
from collections.abc import Sequence
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from typing import Literal

from pydantic import Field, field_validator, model_validator

from contracts.core.outcome import Reject
from executor.tools.artifacts import Artifacts
from executor.tools.inputs import Line, ToolInput

MAX_BYTES = 20 * 1024 * 1024
"""Maximum bytes of all attachments of a message. Mail servers refuse larger messages."""
MAIL = "message/rfc822"
_ANY = "application/octet-stream"
_COMPRESSED = {
    "gzip": "application/gzip",
    "bzip2": "application/x-bzip2",
    "xz": "application/x-xz",
    "compress": "application/x-compress",
    "br": "application/x-brotli",
}
"""Media types of compressed files by encoding: `data.csv.gz` is a gzip file, not CSV."""


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

    @field_validator("content_type")
    @classmethod
    def _can_be_attached(cls, content_type: str | None) -> str | None:
        lower = (content_type or "").lower()
        if not lower.isascii():
            raise ValueError("a media type is plain ASCII, such as application/pdf")
        if lower != MAIL and lower.startswith(("message/", "multipart/")):
            raise ValueError(
                f"a file of type {content_type} cannot be attached: use {MAIL} for a whole e-mail, "
                f"or {_ANY} for a file to be saved as it is"
            )
        return content_type

    @model_validator(mode="after")
    def _has_one_source(self) -> Attachment:
        if (self.path and self.content) or (not self.path and self.content is None):
            raise ValueError("give either path or content")
        return self

    @property
    def media_type(self) -> str:
        """The given media type, else the one guessed from the file name."""
        return (self.content_type or _guessed(self.filename)).lower()


def attach(message: EmailMessage, attachments: Sequence[Attachment], artifacts: Artifacts) -> None:
    """Add `attachments` to `message`.

    Raises:
        Reject: a file does not exist or is outside the artifacts folder, a content is not base64, or the
            attachments are too large.
    """
    left = MAX_BYTES
    for attachment in attachments:
        data = _data_of(attachment, artifacts, left)
        left -= len(data)
        name = attachment.filename
        if mail := _mail(data, attachment):
            message.add_attachment(mail, filename=name)
            continue
        maintype, _, subtype = _type_of_file(attachment).partition("/")
        params = {"charset": "utf-8"} if maintype == "text" and _is_utf8(data) else {}
        message.add_attachment(data, maintype=maintype, subtype=subtype, filename=name, params=params)


def _mail(data: bytes, attachment: Attachment) -> EmailMessage | None:
    """The attached e-mail; None for any other file, and for an `.eml` file that cannot be sent as an e-mail.

    Raises:
        Reject: the call says that it is an e-mail, and it cannot be sent as one.
    """
    if attachment.media_type != MAIL:
        return None
    mail = message_from_bytes(data, policy=SMTP)
    try:
        mail.as_bytes(policy=SMTP.clone(cte_type="7bit"))  # as it is sent to servers without 8BITMIME
    except Exception as error:  # malformed e-mails make the generator raise nearly anything
        if attachment.content_type is None:
            return None
        raise Reject(
            f"The attachment {attachment.filename} is not an e-mail that can be sent as {MAIL} "
            f"({type(error).__name__}: {error}); use {_ANY}"
        ) from error
    return mail


def _type_of_file(attachment: Attachment) -> str:
    """Mail programs open `.eml` files by their name."""
    return _ANY if attachment.media_type == MAIL else attachment.media_type


def _guessed(filename: str) -> str:
    media_type, encoding = mimetypes.guess_type(filename)
    if encoding:
        return _COMPRESSED.get(encoding, _ANY)
    if media_type is None or (media_type.startswith("message/") and not filename.lower().endswith(".eml")):
        return _ANY
    return media_type


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _data_of(attachment: Attachment, artifacts: Artifacts, limit: int) -> bytes:
    if attachment.path:
        data, size = artifacts.read_at_most(attachment.path, limit)
    else:
        data = _decoded(attachment)
        size = len(data)
    if size > limit:
        raise Reject(f"The attachments are larger than {MAX_BYTES // 1024 // 1024} MiB; send a link instead")
    return data


def _decoded(attachment: Attachment) -> bytes:
    content = attachment.content or ""
    if attachment.encoding == "utf-8":
        return content.encode()
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except ValueError as error:
        raise Reject(f"The content of attachment {attachment.filename} is not base64: {error}") from error
