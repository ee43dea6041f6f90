"""The world of most tests, a server that webhooks are sent to, and the tool that sends them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from executor.tools.addresses import AllowedHost
from executor.tools.artifacts import Artifacts
from executor.tools.guard import guarded_session
from executor.tools.send_webhook import send_webhook
from executor.tools.tool import Tool
from executor.tools.write_file import write_file
from tests.services.executor.after_run.receiver import SECRET, Receiver

if TYPE_CHECKING:
    from tests.services.executor.conftest import MakeWorld

RULES = """
[[rule]]
when.has = ["tools"]
when.last_role = "user"
answer.text = "I write."
answer.tool_calls = [
    { name = "writeFile", arguments = { path = "a/report.md", content = "text" } },
    { name = "remember", arguments = { fact = "The office is closed on Mondays." } },
]

[[rule]]
when.last_role = "tool"
answer.text = "Done."
"""


@pytest.fixture
async def receiver() -> AsyncGenerator[Receiver]:
    app = web.Application()
    server = TestServer(app, handler_cancellation=True)
    found = Receiver(server)
    app.router.add_post("/hook", found.handle)
    async with server:
        yield found


@pytest.fixture
async def sender() -> AsyncGenerator[Tool[Any]]:
    async with guarded_session([AllowedHost.parse("127.0.0.1")]) as session:
        yield send_webhook(session, SECRET)


@pytest.fixture
async def world(make_world: MakeWorld, sender: Tool[Any], tmp_path: Path) -> Any:
    it = await make_world(RULES)
    it.add(write_file(Artifacts(tmp_path)))
    it.add(sender)
    return it
