"""The connection to NATS. It survives restarts of the server."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager

import nats.errors
import orjson
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.errors import APIError

from contracts.core.event import Json
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.address import Unreachable, inbox_of, public
from contracts.runtime.nats.client import NatsClient
from contracts.runtime.nats.replies import Denied, Replies, Sink, status_of
from contracts.runtime.nats.retry import NoAnswer, NoResponder, asking

logger = structlog.get_logger(__name__)

PASSING_CODES = (408, 429, 503)
"""Codes of temporary JetStream errors: a retry may succeed."""
PENDING_BYTES = 8 * 1024 * 1024
"""Size of the send buffer while NATS is disconnected. It holds acknowledgements of about 100 bytes."""
NOT_AUTHORIZED = "authorization violation"
DENIED = re.compile(r'permissions violation for publish to "(.+)"')
"""Errors of the server about the user of the connection, in lower case."""
REFUSED = (
    "NATS refuses the user and password in NATS_URL: `async-agent up` keeps those of its own NATS in its "
    "data directory, `async-agent nats-config` makes users for another NATS"
)


class ConnectionClosed(Exception):
    """A fatal error closed the connection to NATS permanently. Restart the process."""


class Connection:
    """A connection to NATS. Every request returns an answer or raises within its timeout."""

    def __init__(self) -> None:
        self.nc = NatsClient()
        self.js: JetStreamContext = self.nc.jetstream()
        self._replies = Replies(self.nc)
        self._connected = asyncio.Event()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._is_new = True
        """Whether no connection has succeeded yet."""
        self._last_error = ""
        self.interruptions = 0
        """How often the connection has been interrupted."""
        self._listeners: set[Callable[[], None]] = set()

    async def open(self, url: str, *, name: str, wait_s: float, pending_bytes: int = PENDING_BYTES) -> None:
        """Connect, waiting for a server that is still starting.

        Raises:
            Unreachable: no server answered within `wait_s` seconds, it refuses the user, or `url` is invalid.
        """
        where = public(url)
        try:
            async with asyncio.timeout(wait_s):
                await self._connect(url, name, pending_bytes)
        except BaseException as error:
            reason = self.nc.last_error or "it does not answer"
            self._closing = True
            await self.nc.close()
            if not isinstance(error, TimeoutError):
                raise
            raise Unreachable(
                f"no NATS server at {where} after {wait_s:g} s ({reason}); "
                "set NATS_URL, or let `async-agent up` start one"
            ) from None
        self._last_error, self._is_new = "", False
        self._connected.set()
        await self._replies.open()

    async def close(self) -> None:
        """Send all pending messages, then disconnect."""
        self._closing = True
        if self._connected.is_set():
            with contextlib.suppress(NoAnswer, Denied):
                await self.fence(timeout_s=2)
        if not self._connected.is_set():
            self.nc.forget_pending()
        with contextlib.suppress(OSError):
            await self.nc.close()

    async def watch(self) -> None:
        """A worker that waits until the connection is closed permanently.

        Raises:
            ConnectionClosed: nats-py has closed the connection and does not reconnect.
        """
        await asyncio.shield(self._closed)

    @property
    def is_connected(self) -> bool:
        """Whether the server is connected at the moment."""
        return self._connected.is_set()

    async def connected(self) -> None:
        """Wait until the server is connected."""
        await self._connected.wait()

    @contextlib.contextmanager
    def on_interruption(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` whenever the connection is interrupted."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def publish(
        self, subject: str, payload: bytes = b"", *, reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """Publish without waiting for an answer. While NATS is disconnected, the message is buffered.

        Raises:
            NoAnswer: the send buffer is full, or the connection is closed.
        """
        try:
            await self.nc.publish(subject, payload, reply, headers)
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            raise NoAnswer(str(error)) from error

    async def publish_ephemeral(self, subject: str, payload: bytes) -> None:
        """Publish an ephemeral message to current subscribers. Errors are ignored; the message may be lost.

        While NATS is disconnected, the message is dropped: the send buffer is reserved for durable messages.
        """
        if self.is_connected:
            with contextlib.suppress(NoAnswer, nats.errors.Error):
                await self.publish(subject, payload)

    async def listen(self, subject: str, handle: Callable[[bytes], None]) -> None:
        """Call `handle` with the payload of each message on a core NATS subject until the connection ends.

        If `handle` raises ValueError, the error is logged and the message ignored.
        """

        def on_message(msg: Msg) -> None:
            try:
                handle(msg.data)
            except ValueError as error:
                logger.warning("ignoring an invalid message", subject=subject, error=str(error))

        await self.nc.subscribe(subject, future=Sink(on_message))

    async def request(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None, *, timeout_s: float = 5.0
    ) -> Msg:
        """Send a request and return the answer.

        Raises:
            NoAnswer: no answer within `timeout_s` seconds, or an interruption.
            NoResponder: no subscriber on `subject`.
            Denied: the NATS user may not publish on `subject`.
            Unavailable: the connection is closed permanently.
        """
        await self._usable(timeout_s)
        with asking():
            (answer,) = await self._replies.ask(subject, payload, headers, timeout_s)
        if answer.headers and status_of(answer) == "503":
            raise NoResponder(f"no subscriber answers on {subject}")
        return answer

    async def request_many(
        self, subject: str, payload: bytes, is_last: Callable[[Msg], bool], *, timeout_s: float = 10.0
    ) -> list[Msg]:
        """Send a request and return all answers, up to the first for which `is_last` is true.

        Raises:
            NoAnswer: as `request`.
            Unavailable: as `request`.
        """
        await self._usable(timeout_s)
        with asking():
            return await self._replies.ask(subject, payload, None, timeout_s, is_last)

    async def fence(self, *, timeout_s: float = 5.0) -> None:
        """Wait until the server has received all messages sent so far, and its messages before that are here.

        It sends a message to itself. The flush() of nats-py overtakes buffered messages, and breaks the read
        loop if it is cancelled.

        Raises:
            NoAnswer: no answer within `timeout_s` seconds.
            Denied: the NATS user may not publish to its own inbox.
        """
        with asking():
            await self._replies.ask("", b"", None, timeout_s)

    async def leave(self, subscription: Subscription) -> None:
        """Unsubscribe. Messages that the server has already sent are still received."""
        with contextlib.suppress(NoAnswer, Denied, nats.errors.Error):
            if self.is_connected:
                await self.nc.stop_sending(subscription)
                await self.fence()
            await subscription.unsubscribe()

    async def api(self, path: str, body: Json = None, *, timeout_s: float = 5.0) -> dict[str, Json]:
        """Call the JetStream API `path`, for example `STREAM.INFO.LOG`, and return its answer.

        Raises:
            NoAnswer: as `request`, or JetStream is not ready.
            Unavailable: as `request`.
            APIError: JetStream returns an error; NotFoundError and BadRequestError are subclasses.
        """
        payload = b"" if body is None else orjson.dumps(body)
        answer: dict[str, Json] = orjson.loads(
            (await self.request(f"$JS.API.{path}", payload, timeout_s=timeout_s)).data
        )
        if error := answer.get("error"):
            if error.get("code") in PASSING_CODES:
                raise NoAnswer(error.get("description", ""))
            raise APIError.from_error(error)
        return answer

    async def _usable(self, timeout_s: float) -> None:
        if self._connected.is_set():
            return
        if self.nc.is_closed:
            raise Unavailable("the connection to NATS is closed")
        try:
            async with asyncio.timeout(timeout_s):
                await self._connected.wait()
        except TimeoutError:
            raise NoAnswer("NATS is disconnected") from None

    async def _connect(self, url: str, name: str, pending_bytes: int) -> None:
        await self.nc.connect(
            url.split(","),
            name=name,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
            closed_cb=self._on_close,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,  # type: ignore[arg-type]  # seconds; a float works too
            ping_interval=5,
            max_outstanding_pings=2,
            pending_size=pending_bytes,
            inbox_prefix=inbox_of(name),
        )

    async def _on_error(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if self._is_new and NOT_AUTHORIZED in text.lower():
            raise Unreachable(REFUSED)
        if denied := DENIED.search(text):
            self._replies.deny(denied[1])
        if text != self._last_error:  # while NATS is disconnected, the same error occurs twice a second
            self._last_error = text
            logger.warning("NATS client", error=text)

    async def _on_disconnect(self) -> None:
        if self._closing or not self._connected.is_set():
            return
        logger.warning("NATS is disconnected; reconnecting")
        self._connected.clear()
        self.interruptions += 1
        self.nc.forget_pending()  # the log may be another one now
        self._replies.fail_all("the connection to NATS was interrupted")
        for listener in tuple(self._listeners):
            listener()

    async def _on_reconnect(self) -> None:
        logger.info("NATS is connected again")
        self._last_error = ""
        self._connected.set()

    async def _on_close(self) -> None:
        self._connected.clear()
        self._replies.fail_all("the connection to NATS is closed")
        if not self._closing and not self._closed.done():
            reason = self.nc.last_error or "no reason given"
            self._closed.set_exception(ConnectionClosed(f"NATS closed the connection permanently: {reason}"))


@asynccontextmanager
async def connect(
    url: str, *, name: str, wait_s: float = 30.0, pending_bytes: int = PENDING_BYTES
) -> AsyncGenerator[Connection]:
    """Connect to NATS; close the connection at exit. `url` may be several URLs, separated by commas."""
    connection = Connection()
    await connection.open(url, name=name, wait_s=wait_s, pending_bytes=pending_bytes)
    try:
        yield connection
    finally:
        await connection.close()
