"""The connection to NATS: it outlives the server's restarts, and says when it is gone for good."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import nats.errors
import orjson
import structlog
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.errors import APIError

from contracts.core.event import Json
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.client import NatsClient
from contracts.runtime.nats.replies import Replies, Sink, status_of
from contracts.runtime.nats.retry import NoAnswer, asking
from contracts.runtime.process.service import UserError

logger = structlog.get_logger(__name__)

PASSING_CODES = (408, 429, 503)
"""Codes of JetStream errors that pass by themselves."""
PENDING_BYTES = 8 * 1024 * 1024
"""Of messages that wait for the server while it is away: acknowledgements, a hundred bytes each."""
WRONG_LAST_SEQUENCE = (10071, 10164, 10201)
"""JetStream's error codes when the expected last sequence is not the last one."""


class Unreachable(UserError):
    """No NATS server answers."""


class ConnectionClosed(Exception):
    """The connection to NATS was closed for good by a fatal error; start the process again."""


class Connection:
    """NATS as the runtime uses it: what is asked is answered, or raises within its timeout."""

    def __init__(self) -> None:
        self.nc = NatsClient()
        self.js: JetStreamContext = self.nc.jetstream()
        self._replies = Replies(self.nc)
        self._connected = asyncio.Event()
        self._closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._closing = False
        self._told = ""
        self._listeners: set[Callable[[], None]] = set()

    async def open(self, url: str, *, name: str, wait_s: float, pending_bytes: int = PENDING_BYTES) -> None:
        """Connect, waiting for a server that is still starting.

        Raises:
            Unreachable: none came within `wait_s` seconds, or `url` is none.
        """
        where = _public(url)
        try:
            async with asyncio.timeout(wait_s):
                await self._connect(url, name, pending_bytes)
        except BaseException as error:
            reason = self.nc.last_error or "it does not answer"
            await self.nc.close()
            if not isinstance(error, TimeoutError):
                raise
            raise Unreachable(
                f"no NATS server at {where} after {wait_s:g} s ({reason}); "
                "set NATS_URL, or let `async-agent up` start one"
            ) from None
        self._told = ""
        self._connected.set()
        await self._replies.open()

    async def close(self) -> None:
        """Send what is still to be sent, then disconnect."""
        self._closing = True
        if self._connected.is_set():
            with contextlib.suppress(NoAnswer):
                await self.fence(timeout_s=2)
        with contextlib.suppress(OSError):  # nats-py sends what is pending even where nobody is there
            await self.nc.close()

    async def watch(self) -> None:
        """A worker that fails when the connection is gone for good, and never ends otherwise.

        Raises:
            ConnectionClosed: nats-py will not connect again.
        """
        await asyncio.shield(self._closed)

    @property
    def is_connected(self) -> bool:
        """Whether the server is there at the moment."""
        return self._connected.is_set()

    async def connected(self) -> None:
        """Return as soon as the server is there."""
        await self._connected.wait()

    @contextlib.contextmanager
    def on_interruption(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` whenever the connection breaks."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def publish(self, subject: str, payload: bytes = b"", *, reply: str = "") -> None:
        """Send without waiting for anything; what is sent while the server is away goes out when it is back.

        Raises:
            NoAnswer: too much is waiting already, or the connection is closed.
        """
        try:
            await self.nc.publish(subject, payload, reply)
        except (nats.errors.OutboundBufferLimitError, nats.errors.ConnectionClosedError) as error:
            raise NoAnswer(str(error)) from error

    async def publish_ephemeral(self, subject: str, payload: bytes) -> None:
        """Tell whoever listens right now. It never fails: nothing may depend on a hint, sent or not.

        While the server is away nobody listens, and the room for what waits belongs to what counts.
        """
        if self.is_connected:
            with contextlib.suppress(NoAnswer, nats.errors.Error):
                await self.publish(subject, payload)

    async def listen(self, subject: str, hear: Callable[[bytes], None]) -> None:
        """Give everything on a core NATS subject to `hear`, until the connection ends.

        What it raises ValueError for is passed over.
        """

        def heard(msg: Msg) -> None:
            try:
                hear(msg.data)
            except ValueError as error:
                logger.warning("a message is not what its subject is for", subject=subject, error=str(error))

        await self.nc.subscribe(subject, future=Sink(heard))

    async def request(
        self, subject: str, payload: bytes, headers: dict[str, str] | None = None, *, timeout_s: float = 5.0
    ) -> Msg:
        """The one message that answers.

        Raises:
            NoAnswer: none within `timeout_s` seconds, the connection broke, or nobody listens on `subject`.
            Unavailable: the connection is closed for good.
        """
        await self._usable(timeout_s)
        with asking():
            (answer,) = await self._replies.ask(subject, payload, headers, timeout_s)
        if answer.headers and status_of(answer) == "503":
            raise NoAnswer(f"nobody answers on {subject}")
        return answer

    async def request_many(
        self, subject: str, payload: bytes, is_last: Callable[[Msg], bool], *, timeout_s: float = 10.0
    ) -> list[Msg]:
        """All messages that answer, the last one included.

        Raises:
            NoAnswer: as `request`.
            Unavailable: as `request`.
        """
        await self._usable(timeout_s)
        with asking():
            return await self._replies.ask(subject, payload, None, timeout_s, is_last)

    async def fence(self, *, timeout_s: float = 5.0) -> None:
        """Return when the server has everything sent so far, and we everything it had sent when it got that.

        A message to ourselves, because nats-py's flush() overtakes what is waiting to be sent, and kills the
        read loop when it is cancelled.

        Raises:
            NoAnswer: not within `timeout_s` seconds.
        """
        with asking():
            await self._replies.ask("", b"", None, timeout_s)

    async def leave(self, subscription: Subscription) -> None:
        """End a subscription; what the server sent before it heard of that is still received."""
        with contextlib.suppress(NoAnswer, nats.errors.Error):
            if self.is_connected:
                await self.nc.stop_sending(subscription)
                await self.fence()
            await subscription.unsubscribe()

    async def api(self, path: str, body: Json = None, *, timeout_s: float = 5.0) -> dict[str, Json]:
        """What the JetStream API says to `path`, for example `STREAM.INFO.LOG`.

        Raises:
            NoAnswer: as `request`, or JetStream is not ready.
            APIError: it says no; NotFoundError and BadRequestError among them.
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
            raise NoAnswer("NATS is away") from None

    async def _connect(self, url: str, name: str, pending_bytes: int) -> None:
        await self.nc.connect(
            url.split(","),
            name=name,
            error_cb=self._on_error,
            disconnected_cb=self._on_disconnect,
            reconnected_cb=self._on_reconnect,
            closed_cb=self._on_close,
            max_reconnect_attempts=-1,
            reconnect_time_wait=0.5,  # type: ignore[arg-type]  # seconds; any number will do
            ping_interval=5,
            max_outstanding_pings=2,
            pending_size=pending_bytes,
        )

    async def _on_error(self, error: Exception) -> None:
        text = str(error) or type(error).__name__
        if text != self._told:  # while NATS is away the same one comes twice a second
            self._told = text
            logger.warning("NATS client", error=text)

    async def _on_disconnect(self) -> None:
        if self._closing or not self._connected.is_set():
            return
        logger.warning("NATS went away; waiting for it")
        self._connected.clear()
        self._replies.fail_all("the connection to NATS broke")
        for listener in tuple(self._listeners):
            listener()

    async def _on_reconnect(self) -> None:
        logger.info("NATS is back")
        self._told = ""
        self._connected.set()

    async def _on_close(self) -> None:
        self._connected.clear()
        self._replies.fail_all("the connection to NATS is closed")
        if not self._closing and not self._closed.done():
            reason = self.nc.last_error or "no reason given"
            self._closed.set_exception(ConnectionClosed(f"NATS closed the connection for good: {reason}"))


@asynccontextmanager
async def connect(
    url: str, *, name: str, wait_s: float = 30.0, pending_bytes: int = PENDING_BYTES
) -> AsyncGenerator[Connection]:
    """A connection to NATS, closed on the way out. `url` may be several, separated by commas."""
    connection = Connection()
    await connection.open(url, name=name, wait_s=wait_s, pending_bytes=pending_bytes)
    try:
        yield connection
    finally:
        await connection.close()


def _public(url: str) -> str:
    """The addresses in `url` without the passwords."""
    try:
        parts = [urlsplit(one if "//" in one else f"nats://{one}") for one in url.split(",")]
        addresses = [(part.hostname, part.port or 4222) for part in parts]
    except ValueError:
        addresses = [(None, 0)]
    if not all(host for host, _ in addresses):
        raise Unreachable("NATS_URL is no address; set it to nats://<host>:4222, several with commas between")
    return ", ".join(f"{host}:{port}" for host, port in addresses)
