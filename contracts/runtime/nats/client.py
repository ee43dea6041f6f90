"""A nats-py client with faster header parsing. Only this module overrides private parts of nats-py."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from typing import Any

from nats.aio.client import NATS_HDR_LINE_SIZE, Client
from nats.aio.subscription import Subscription

SPACE = ord(" ")
"""The character after the protocol version if the header line has a status."""


class NatsClient(Client):
    """The client of nats-py with faster headers, and an unsubscribe that does not lose messages."""

    @property
    def server_name(self) -> str:
        """The name of the connected server; empty if it has none."""
        return str(self._server_info.get("server_name", ""))

    async def stop_sending(self, subscription: Subscription) -> None:
        """Ask the server to stop sending. Messages that it has already sent are still received."""
        await self._send_unsubscribe(subscription._id)  # noqa: SLF001

    def forget_pending(self) -> None:
        """Drop what was not sent. nats-py sends it after a reconnect, and writes it to a closed socket."""
        self._pending, self._pending_data_size = [], 0

    async def _flush_pending(self, force_flush: bool = False) -> Any:
        """nats-py swallows the cancellation of a task that waits here; the task would never end.

        It also raises the errors of a connection that has just been lost, which no caller expects. A
        request that got lost has a timeout.
        """
        task = asyncio.current_task()
        before = task.cancelling() if task else 0
        flushed = None
        with suppress(OSError, RuntimeError):  # uvloop raises RuntimeError for a closed transport
            flushed = await super()._flush_pending(force_flush)
        if task and task.cancelling() > before:
            raise asyncio.CancelledError
        return flushed

    async def _process_headers(self, headers: bytes | None) -> Mapping[str, str] | None:  # type: ignore[override]
        if headers and headers[NATS_HDR_LINE_SIZE] != SPACE:
            return UnreadHeaders(headers)
        return await super()._process_headers(headers)

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        return header_lines(raw)


class UnreadHeaders(Mapping[str, str]):
    """Headers that are parsed only to list them. Looking one up searches the bytes: few are looked up."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    @cached_property
    def _parsed(self) -> dict[str, str]:
        return header_lines(self._raw[NATS_HDR_LINE_SIZE:])

    def before_last(self, name: str) -> UnreadHeaders:
        """The headers before the last one called `name`."""
        return UnreadHeaders(self._raw.rpartition(f"\r\n{name}:".encode())[0])

    def __getitem__(self, name: str) -> str:
        _, found, rest = self._raw.rpartition(b"\r\n%b:" % name.encode())
        if not found:
            raise KeyError(name)
        return rest.partition(b"\r\n")[0].decode("utf-8", "replace").strip()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and b"\r\n%b:" % name.encode() in self._raw

    def __bool__(self) -> bool:
        return b":" in self._raw

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsed)

    def __len__(self) -> int:
        return len(self._parsed)


def header_lines(raw: bytes) -> dict[str, str]:
    """Parse header lines. Same result as the function of nats-py, in a third of the time."""
    headers = {}
    for line in raw.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers[name] = value.strip()
    return headers
