"""Settings of the tools."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainValidator, SecretStr, field_validator
from pydantic_settings import NoDecode

from contracts.core.text import by_commas
from contracts.runtime.process.settings import Settings
from executor.tools.addresses import AllowedHost


def _allowed_host(value: object) -> AllowedHost:
    return value if isinstance(value, AllowedHost) else AllowedHost.parse(str(value))


WebPort = Annotated[int, Field(ge=1, le=65535)]
CommaSeparated = Annotated[tuple[str, ...], NoDecode, BeforeValidator(by_commas)]
AllowedHosts = Annotated[
    tuple[Annotated[AllowedHost, PlainValidator(_allowed_host)], ...],
    NoDecode,
    BeforeValidator(by_commas),
]


class ToolSettings(Settings):
    """Settings of the built-in tools; they are also passed to plug-ins."""

    allowed_private_hosts: AllowedHosts = ()
    """Hosts, `host:port`, addresses and CIDR networks that are not public but that tools may connect to."""
    allowed_ports: Annotated[tuple[WebPort, ...], NoDecode, BeforeValidator(by_commas)] = (80, 443)
    """Ports of public servers that tools may connect to. Mail and allowed private hosts have their own."""
    smtp_host: str = ""
    smtp_port: int = Field(default=587, ge=1, le=65535)
    """465 means implicit TLS; other ports use STARTTLS, see `smtp_tls`."""
    smtp_tls: Literal["auto", "required", "off"] = "auto"
    """auto: TLS if the server offers it, required if there is a password; off: never TLS."""
    smtp_user: str = ""
    smtp_pass: SecretStr = SecretStr("")
    smtp_from: str = ""
    webhook_secret: SecretStr = SecretStr("")
    """Key that signs webhooks: base64, with or without the prefix `whsec_`."""
    search_backend: str = "auto"
    """Engines of ddgs, comma separated (`auto`, `duckduckgo`, …), or a custom backend
    `package.module:attribute`."""
    search_proxy: SecretStr = SecretStr("")
    """HTTP or SOCKS proxy for searches."""
    tool_modules: CommaSeparated = ()
    """Plug-ins, `package.module:attribute`: a Tool, a list of Tools, or a function of ToolSettings."""

    mcp_config: Path | None = None
    """File with the MCP servers whose tools are offered, in the form of `mcp.json`."""

    openapi_tools: Path | None = None
    """File with the HTTP APIs whose operations are offered as tools."""

    @field_validator("webhook_secret")
    @classmethod
    def _is_base64(cls, secret: SecretStr) -> SecretStr:
        webhook_key(secret)
        return secret


def webhook_key(secret: SecretStr) -> bytes:
    """The bytes of `WEBHOOK_SECRET`; empty if it is empty.

    Raises:
        ValueError: `secret` is not base64.
    """
    encoded = secret.get_secret_value().removeprefix("whsec_")
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ValueError("WEBHOOK_SECRET must be base64; make one with: openssl rand -base64 32") from error
