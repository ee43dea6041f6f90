"""Requests with headers that no HTTP client would send."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.services.conftest import Api


async def status_of(api: Api, path: str, header: bytes, method: str = "GET") -> int:
    """The status of the answer to a request with `header`, which may not be UTF-8."""
    reader, writer = await asyncio.open_connection(api.url.host, api.url.port)
    host = f"Host: {api.url.host}:{api.url.port}"
    length = "Content-Type: application/json\r\nContent-Length: 2"
    writer.write(f"{method} {path} HTTP/1.1\r\n{host}\r\n{length}\r\n".encode() + header + b"\r\n\r\n{}")
    try:
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()
