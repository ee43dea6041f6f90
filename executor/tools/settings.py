"""What the tools read from the environment, besides what every service reads."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, SecretStr, field_validator
from pydantic_settings import NoDecode

from contracts.core.text import by_commas
from contracts.runtime.process.settings import Settings
from executor.tools.addresses import AllowedHost


def _allowed_host(value: object) -> AllowedHost:
    return value if isinstance(value, AllowedHost) else AllowedHost.parse(str(value))


CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(by_commas)]
AllowedHosts = Annotated[
    tuple[Annotated[AllowedHost, PlainValidator(_allowed_host)], ...],
    NoDecode,
    BeforeValidator(by_commas),
]


class ToolSettings(Settings):
    """Settings of the built-in tools; plug-ins get them too."""

    allowed_private_hosts: AllowedHosts = ()
    """Hosts, `host:port`, addresses and CIDR networks that tools may reach although they are not public."""
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """465 means TLS from the first byte; on others STARTTLS is used, see `smtp_tls`."""
    smtp_tls: Literal["auto", "required", "off"] = "auto"
    """auto: TLS where the server offers it, and required if there is a password; off: never TLS."""
    smtp_user: str = ""
    smtp_pass: SecretStr = SecretStr("")
    smtp_from: str = ""
    webhook_secret: SecretStr = SecretStr("")
    """Base64, with or without `whsec_` in front: webhooks are signed with it."""
    search_backend: str = "auto"
    """Engines of ddgs, comma separated (`auto`, `duckduckgo`, …), or your own: `package.module:attribute`."""
    search_proxy: str = ""
    """HTTP or SOCKS proxy for searches."""
    tool_modules: CommaSeparated = ()
    """Plug-ins, `package.module:attribute`: a Tool, a list of them, or a function of ToolSettings."""

    @field_validator("webhook_secret")
    @classmethod
    def _is_base64(cls, secret: SecretStr) -> SecretStr:
        webhook_key(secret)
        return secret


def webhook_key(secret: SecretStr) -> bytes:
    """The bytes that `WEBHOOK_SECRET` stands for; none when it is empty.

    Raises:
        ValueError: it is not base64.
    """
    encoded = secret.get_secret_value().removeprefix("whsec_")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("WEBHOOK_SECRET must be base64; make one with: openssl rand -base64 32") from error
