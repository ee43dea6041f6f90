"""A minimal HTTP/1.1 client with persistent connections. It is fast enough not to affect measurements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import orjson

from contracts.core.event import Json

HEAD_END = b"\r\n\r\n"


class KeepAlive:
    """One connection. It handles one request at a time."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, key: str | None
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._head = f"Host: {host}\r\n" + (f"Authorization: Bearer {key}\r\n" if key else "")

    async def get(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body."""
        return await self._answer(f"GET {path} HTTP/1.1\r\n{self._head}\r\n".encode())

    async def delete(self, path: str) -> tuple[int, bytes]:
        """Return the status and the body."""
        return await self._answer(f"DELETE {path} HTTP/1.1\r\n{self._head}\r\n".encode())

    async def post(self, path: str, body: Json) -> tuple[int, bytes]:
        """Return the status and the body."""
        return await self._send("POST", path, body)

    async def patch(self, path: str, body: Json) -> tuple[int, bytes]:
        """Return the status and the body."""
        return await self._send("PATCH", path, body)

    async def _send(self, method: str, path: str, body: Json) -> tuple[int, bytes]:
        data = orjson.dumps(body)
        head = f"{method} {path} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
        return await self._answer(f"{head}Content-Length: {len(data)}\r\n\r\n".encode() + data)

    def close(self) -> None:
        """Close the connection."""
        self._writer.close()

    async def _answer(self, request: bytes) -> tuple[int, bytes]:
        self._writer.write(request)
        head = await self._reader.readuntil(HEAD_END)
        lines = head.lower().split(b"\r\n")
        length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
        return int(head[9:12]), await self._reader.readexactly(length)


class Pool:
    """A pool of connections to one server. It has one connection per concurrent request."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._idle: list[KeepAlive] = []

    async def post(self, path: str, body: Json) -> tuple[int, bytes]:
        """Return the status and the body."""
        connection = self._idle.pop() if self._idle else await _connect(self._url)
        try:
            answer = await connection.post(path, body)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return answer

    def close(self) -> None:
        """Close the idle connections. The next request opens a new one."""
        while self._idle:
            self._idle.pop().close()


@asynccontextmanager
async def keep_alive(url: str, key: str | None = None) -> AsyncGenerator[KeepAlive]:
    """Open a connection to the server of `url`, and close it at the end of the block. Requests have `key`."""
    connection = await _connect(url, key)
    try:
        yield connection
    finally:
        connection.close()


async def _connect(url: str, key: str | None = None) -> KeepAlive:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    return KeepAlive(reader, writer, parts.netloc, key)
