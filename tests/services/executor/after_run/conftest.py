"""A server that webhooks are sent to, and the tool that sends them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from executor.tools.addresses import AllowedHost
from executor.tools.guard import guarded_session
from executor.tools.send_webhook import send_webhook
from executor.tools.tool import Tool
from tests.services.executor.after_run.receiver import SECRET, Receiver


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
