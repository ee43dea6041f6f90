"""A server that webhooks are sent to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

SECRET = b"secret"


@dataclass
class Receiver:
    """A server that keeps what it gets and answers with these statuses, the last one for ever."""

    server: TestServer
    statuses: list[int] = field(default_factory=lambda: [200])
    got: list[tuple[Any, bytes]] = field(default_factory=list)
    discard_progress: bool = False
    reached: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        return str(self.server.make_url("/hook"))

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((request.headers, await request.read()))
        self.reached.set()
        if self.discard_progress:
            await asyncio.Event().wait()
        return web.Response(status=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])
