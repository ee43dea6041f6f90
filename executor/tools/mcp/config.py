"""The file that MCP_CONFIG names: the MCP servers, in the form that other MCP hosts read as `mcp.json`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from executor.tools.config_file import SourceConfig, SourceName, read_file
from executor.tools.inputs import HttpUrl


class ServerConfig(SourceConfig):
    """One MCP server: a `command` that is started, or a `url`. `${NAME}` is an environment variable."""

    command: str = ""
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = Field(default_factory=dict)
    """Further environment variables. The process gets these, and PATH, HOME and the like; no other ones."""
    cwd: Path | None = None
    url: HttpUrl | None = None
    headers: Mapping[str, str] = Field(default_factory=dict)
    protocol: Literal["auto", "legacy"] = "auto"
    """`auto`: the newest one that both know. `legacy`: one of before 2026-07-28, for a server whose tools can
    only ask in the middle of a call."""
    type: str = ""
    """Accepted because other hosts write it: `stdio`, `http` or `streamable-http`."""

    @model_validator(mode="after")
    def _is_one_kind(self) -> ServerConfig:
        if bool(self.command) == bool(self.url):
            raise ValueError("give either a command or a url")
        if self.type not in {"", "stdio", "http", "streamable-http", "streamableHttp"}:
            raise ValueError(f"type {self.type!r} is not supported: use stdio or http")
        return self


class McpConfig(BaseModel):
    """All servers by name."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    servers: Mapping[SourceName, ServerConfig] = Field(default_factory=dict, alias="mcpServers")


def read_config(path: Path, environment: Mapping[str, str] = os.environ) -> dict[str, ServerConfig]:
    """Read the servers that are not disabled.

    Raises:
        WrongConfig: the file cannot be read, is not valid, or names a variable that is not set.
    """
    config = read_file("MCP_CONFIG", path, McpConfig, environment)
    return {name: server for name, server in config.servers.items() if not server.disabled}
