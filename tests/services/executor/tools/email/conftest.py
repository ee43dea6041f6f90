"""A mail server and a folder of artifacts for every test of the tool."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.services.executor.tools.email.mail_server import MailServer


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    found = MailServer()
    async with await asyncio.start_server(found.talk, "127.0.0.1") as listening:
        found.port = listening.sockets[0].getsockname()[1]
        yield found


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """A folder of artifacts with one file."""
    root = tmp_path / "artifacts"
    root.mkdir()
    (root / "report.pdf").write_bytes(b"%PDF\x00\xff")
    (tmp_path / "secret.txt").write_text("secret")
    return root
