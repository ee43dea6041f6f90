"""One inbox for every answer of a connection, read without a queue or a task in between.

nats-py's own request() and callbacks cost twice as much; appends are the hottest path there is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import Header

from contracts.runtime.nats.retry import NoAnswer

logger = structlog.get_logger(__name__)


class Sink(asyncio.Future[Msg]):
    """A function where nats-py takes a future: it is called for every message, within the read loop."""

    def __init__(self, receive: Callable[[Msg], None]) -> None:
        super().__init__()
        self._receive = receive

    def cancelled(self) -> bool:
        """Never: it takes messages as long as the subscription lives."""
        return False

    def set_result(self, result: Msg) -> None:
        """Hand over one message. What the function raises must not end the read loop, so it ends here."""
        try:
            self._receive(result)
        except Exception:
            logger.exception("a message could not be received", subject=result.subject)


def status_of(msg: Msg) -> str | None:
    """The status of a message that is the server's own word and not a stored message, else None."""
    return msg.headers.get(Header.STATUS) if not msg.data and msg.headers else None


def description_of(msg: Msg) -> str:
    """What the server says about its status."""
    return (msg.headers or {}).get(Header.DESCRIPTION, "")


def _first(_: Msg) -> bool:
    return True


@dataclass(slots=True, eq=False)
class _Question:
    answer: asyncio.Future[list[Msg]]
    is_last: Callable[[Msg], bool]
    messages: list[Msg] = field(default_factory=list)

    def fail(self, reason: str) -> None:
        if not self.answer.done():
            self.answer.set_exception(NoAnswer(reason))


class Replies:
    """Asks questions on one connection and knows which answer belongs to which."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._inbox = nc.new_inbox() + "."
        self._asked: dict[str, _Question] = {}
        self._count = 0

    async def open(self) -> None:
        """Start listening."""
        await self._nc.subscribe(self._inbox + "*", future=Sink(self._receive))

    def fail_all(self, reason: str) -> None:
        """The connection broke: nothing that was asked on it will be answered."""
        for question in self._asked.values():
            question.fail(reason)

    async def ask(
        self,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        timeout_s: float,
        is_last: Callable[[Msg], bool] = _first,
    ) -> list[Msg]:
        """The messages that answer, up to the one that `is_last`; an empty `subject` answers itself.

        Raises:
            NoAnswer: not all there after `timeout_s`, or the connection broke.
        """
        loop = asyncio.get_running_loop()
        self._count += 1
        token = str(self._count)
        reply = self._inbox + token
        question = self._asked[token] = _Question(loop.create_future(), is_last)
        timer = loop.call_later(timeout_s, question.fail, f"nothing on {subject} after {timeout_s:g} s")
        try:
            await self._nc.publish(subject or reply, payload, reply, headers)
            return await question.answer
        finally:
            timer.cancel()
            del self._asked[token]

    def _receive(self, msg: Msg) -> None:
        question = self._asked.get(msg.subject[len(self._inbox) :])
        if question is None or question.answer.done():
            return
        question.messages.append(msg)
        if question.is_last(msg):
            question.answer.set_result(question.messages)
