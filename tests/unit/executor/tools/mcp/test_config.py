"""The file of MCP servers is read as other hosts write it, and each mistake is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from executor.tools.config_file import WrongConfig
from executor.tools.mcp.config import read_config

if TYPE_CHECKING:
    from pathlib import Path


def written(tmp_path: Path, servers: Any) -> Path:
    path = tmp_path / "mcp.json"
    path.write_text(servers if isinstance(servers, str) else json.dumps({"mcpServers": servers}))
    return path


def test_servers_are_read_with_variables_filled_in(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        {
            "git": {"command": "uvx", "args": ["mcp-server-git", "${REPO}"]},
            "web": {
                "type": "http",
                "url": "https://a.example/mcp",
                "headers": {"Authorization": "Bearer ${KEY}"},
            },
            "off": {"command": "x", "disabled": True},
        },
    )
    servers = read_config(path, {"REPO": "r", "KEY": "k"})
    assert list(servers) == ["git", "web"]
    assert servers["git"].args == ("mcp-server-git", "r")
    assert servers["web"].headers == {"Authorization": "Bearer k"}


@pytest.mark.parametrize(
    ("servers", "why"),
    [
        ("{", "is not JSON"),
        ({"a": {}}, "give either a command or a url"),
        ({"a": {"command": "x", "url": "https://a.example"}}, "give either a command or a url"),
        ({"a": {"command": "${MISSING}"}}, "the environment variable MISSING is not set"),
        ({"a": {"command": "x", "type": "sse"}}, "type 'sse' is not supported"),
        ({"a": {"command": "x", "alow": []}}, "alow"),
        ({"a b": {"command": "x"}}, "a b"),
        ({"a": {"url": "ftp://a.example"}}, "http"),
    ],
)
def test_a_wrong_file_is_reported(tmp_path: Path, servers: Any, why: str) -> None:
    with pytest.raises(WrongConfig, match="MCP_CONFIG") as told:
        read_config(written(tmp_path, servers), {})
    assert why in str(told.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WrongConfig, match="cannot read"):
        read_config(tmp_path / "missing.json")
