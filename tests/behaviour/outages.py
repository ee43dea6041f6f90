"""What may become of a message between a process and nats-server."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from nats.aio.msg import Msg

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.retry import NoAnswer
from deploy.local.nats_server import NatsServer

Send = Callable[[], Awaitable[Any]]
Fate = Callable[[Send, NatsServer], Awaitable[Any]]
"""What becomes of one message: it may be sent, and its answer come back, or not."""


class WriterDied(BaseException):
    """The process ends here, as by SIGKILL: nothing after this line is executed."""


async def answer_is_lost(send: Send, _: NatsServer) -> Any:
    await send()
    raise NoAnswer("the answer was lost")


async def message_is_lost(_: Send, __: NatsServer) -> Any:
    raise NoAnswer("the message was lost")


async def server_is_killed_before(send: Send, server: NatsServer) -> Any:
    await server.kill()
    await server.start()
    return await send()


async def server_is_killed_after(send: Send, server: NatsServer) -> Any:
    await send()
    await server.kill()
    await server.start()
    raise NoAnswer("the connection broke")


async def server_stalls(send: Send, server: NatsServer) -> Any:
    """It gets the message, and acts on it when the writer has given up waiting."""
    assert server.pid
    os.kill(server.pid, signal.SIGSTOP)
    try:
        return await send()
    finally:
        os.kill(server.pid, signal.SIGCONT)


async def writer_dies_before(_: Send, __: NatsServer) -> Any:
    raise WriterDied


async def writer_dies_after(send: Send, _: NatsServer) -> Any:
    await send()
    raise WriterDied


OUTAGES = (answer_is_lost, message_is_lost, server_is_killed_before, server_is_killed_after, server_stalls)


class Unlucky(Connection):
    """A connection on which the message of a number meets its fate."""

    def __init__(self, server: NatsServer) -> None:
        super().__init__()
        self.fates: Mapping[int, Fate] = {}
        self.sent = 0
        self.unanswered = 0
        """Messages that expect no answer."""
        self._server = server

    async def request(self, *args: Any, timeout_s: float = 5.0) -> Msg:
        answer: Msg = await self._meet(lambda wait_s: super(Unlucky, self).request(*args, timeout_s=wait_s))
        return answer

    async def request_many(self, *args: Any, timeout_s: float = 10.0) -> list[Msg]:
        answer: list[Msg] = await self._meet(
            lambda wait_s: super(Unlucky, self).request_many(*args, timeout_s=wait_s)
        )
        return answer

    async def publish(self, *args: Any, **options: Any) -> None:
        self.unanswered += 1
        with suppress(NoAnswer):  # it expects no answer, so nothing tells that the message was lost
            await self._meet(lambda _: super(Unlucky, self).publish(*args, **options))

    async def _meet(self, send: Callable[[float], Awaitable[Any]]) -> Any:
        self.sent += 1
        fate = self.fates.get(self.sent)
        if fate is None:
            return await send(5.0)
        return await fate(lambda: send(0.1 if fate is server_stalls else 5.0), self._server)


@asynccontextmanager
async def unlucky(server: NatsServer) -> AsyncGenerator[Unlucky]:
    connection = Unlucky(server)
    await connection.open(server.url, name="unlucky", wait_s=10)
    try:
        yield connection
    finally:
        connection.fates = {}
        await connection.close()
