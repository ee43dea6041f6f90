"""Requests and answers on one shared inbox, without a queue or a task for each request.

The request() and callbacks of nats-py take twice as long, and appends are the most frequent operation.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import Header

from contracts.core.user_error import UserError
from contracts.runtime.nats.retry import NoAnswer

logger = structlog.get_logger(__name__)


class Sink(asyncio.Future[Msg]):
    """Passes a function as the future that nats-py expects. The read loop calls it with each message."""

    def __init__(self, receive: Callable[[Msg], None]) -> None:
        super().__init__()
        self._receive = receive

    def cancelled(self) -> bool:
        """Always False: it accepts messages until the subscription ends."""
        return False

    def set_result(self, result: Msg) -> None:
        """Call the function with one message. Errors are logged: they must not end the read loop."""
        try:
            self._receive(result)
        except Exception:
            logger.exception("a message could not be received", subject=result.subject)


def status_of(msg: Msg) -> str | None:
    """The status code of a status message of the server; None for other messages."""
    return msg.headers.get(Header.STATUS) if not msg.data and msg.headers else None


def description_of(msg: Msg) -> str:
    """The description of a status message; empty if there is none."""
    return (msg.headers or {}).get(Header.DESCRIPTION, "")


def _first(_: Msg) -> bool:
    return True


class Denied(UserError):
    """The NATS user of this process may not publish on a subject."""


@dataclass(slots=True, eq=False)
class _Question:
    subject: str
    answer: asyncio.Future[list[Msg]]
    is_last: Callable[[Msg], bool]
    messages: list[Msg] = field(default_factory=list)

    def fail(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)


class Replies:
    """Sends requests on one connection and assigns the answers to them."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._inbox = ""
        self._asked: dict[str, _Question] = {}
        self._count = 0

    async def open(self) -> None:
        """Subscribe to an inbox. Call it once, when connected."""
        self._inbox = self._nc.new_inbox() + "."
        await self._nc.subscribe(self._inbox + "*", future=Sink(self._receive))

    def fail_all(self, reason: str) -> None:
        """Fail all open requests with `reason`, because the connection was interrupted."""
        for question in self._asked.values():
            question.fail(NoAnswer(reason))

    def deny(self, subject: str) -> None:
        """Fail all open requests on `subject`, which is in lower case: the user may not publish there."""
        for question in self._asked.values():
            if question.subject.lower() == subject:
                text = f"the NATS user in NATS_URL may not publish on {question.subject}"
                question.fail(Denied(f"{text}; use the user of this service"))

    async def ask(
        self,
        subject: str,
        payload: bytes,
        headers: dict[str, str] | None,
        timeout_s: float,
        is_last: Callable[[Msg], bool] = _first,
    ) -> list[Msg]:
        """Send a request and return its answers, up to the first for which `is_last` is true.

        An empty `subject` sends the request to the inbox, so that it is its own answer.

        Raises:
            NoAnswer: not all answers arrived within `timeout_s` seconds, or the connection was interrupted.
            Denied: the NATS user may not publish on `subject`.
        """
        loop = asyncio.get_running_loop()
        self._count += 1
        token = str(self._count)
        reply = self._inbox + token
        subject = subject or reply
        question = self._asked[token] = _Question(subject, loop.create_future(), is_last)
        late = NoAnswer(f"no answer on {subject} after {timeout_s:g} s")
        timer = loop.call_later(timeout_s, question.fail, late)
        try:
            await self._nc.publish(subject, payload, reply, headers)
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
