"""Calls of tools in which the server may ask a person (elicitation).

Since protocol 2026-07-28, a server answers a call with its questions and gets it again with the answers.
Before, it asks in the middle of a call, which is held open in memory for HELD_S at most, and does not say in
which one. So as soon as such a server has asked, its calls are made one at a time. If a call was not held,
one that may be repeated is made again with the answer at hand; any other fails, and says that it may have
taken effect in part.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from mcp_types import CallToolResult, ElicitRequestFormParams, ElicitRequestParams, ElicitResult

from contracts.core.event import Json
from contracts.core.foreign_schema import schema_error

HELD_S = 3600.0
"""Maximum seconds that a call is held open until a person answers."""

ASKED_S = 7 * 24 * 3600.0
"""Seconds after which a question expires if the call can be made again."""
NOT_HELD = (
    "the call that asked was not held open until the answer came. It may have taken effect in part. Check, "
    "then resume to make it again with the answer"
)
CANCELLED = ElicitResult(action="cancel")


class Question(NamedTuple):
    """What a server asks."""

    message: str
    schema: dict[str, Json]
    """JSON Schema of the answer."""


class Conversation:
    """One call in progress, in which the server may ask questions."""

    def __init__(self, call: Callable[[Conversation], Awaitable[CallToolResult]]) -> None:
        self.is_confused = asyncio.Event()
        """Set if nobody knows which questions belong to this call."""
        self._question: Question | None = None
        self._asked = asyncio.Event()
        self._reply: asyncio.Future[ElicitResult] = asyncio.get_running_loop().create_future()
        self._one = asyncio.Lock()
        self._call = asyncio.ensure_future(call(self))
        self._call.add_done_callback(_retrieve)

    async def ask(self, params: ElicitRequestParams) -> ElicitResult:
        """The answer of a person. Questions that need no form, or have an invalid one, are declined."""
        if not isinstance(params, ElicitRequestFormParams) or schema_error(params.requested_schema):
            return ElicitResult(action="decline")
        async with self._one:
            self._reply = asyncio.get_running_loop().create_future()
            self._question = Question(params.message, params.requested_schema)
            self._asked.set()
            return await self._reply

    def reply(self, answer: Mapping[str, Json]) -> None:
        """Answer the question."""
        self._question = None
        self._asked.clear()
        if not self._reply.done():
            self._reply.set_result(ElicitResult(action="accept", content=dict(answer)))

    async def next(self, lost: asyncio.Event, timeout_s: float) -> CallToolResult | Question:
        """The result of the call, or the next question.

        Raises:
            ConnectionError: the connection was lost, or questions cannot be told apart.
            TimeoutError: neither came in time.
        """
        events = [asyncio.ensure_future(one.wait()) for one in (self._asked, self.is_confused, lost)]
        try:
            await asyncio.wait([self._call, *events], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for event in events:
                event.cancel()
        if self.is_confused.is_set():
            raise ConnectionError("two calls asked at the same time, and the server does not say which")
        if self._call.done():
            return self._call.result()
        if self._question:
            return self._question
        if lost.is_set():
            raise ConnectionError("the connection was lost")
        raise TimeoutError

    def close(self) -> None:
        """Stop the call. A server that waits for an answer is told that nobody gives one."""
        if not self._reply.done():
            self._reply.set_result(CANCELLED)
        self._call.cancel()


def _retrieve(call: asyncio.Future[CallToolResult]) -> None:
    """Look at the error of a call that may be held, so that asyncio does not report it as lost."""
    if not call.cancelled():
        call.exception()


class Conversations:
    """The calls of one server that are in progress, and those that are held until a person answers."""

    def __init__(self) -> None:
        self._active: set[Conversation] = set()
        self._held: dict[str, tuple[Conversation, asyncio.TimerHandle]] = {}
        self._one_at_a_time = False
        self._unplaced = 0
        """Number of questions of which it is not known yet to which call they belong."""
        self._confusions = 0
        """Number of times that several questions came at once."""
        self._changed = asyncio.Event()

    async def turn(self) -> None:
        """Wait until a call may start or go on."""
        while self._one_at_a_time and self._active:
            await self._changed.wait()

    @contextmanager
    def active(self, conversation: Conversation) -> Generator[None]:
        """During the block, the call is in progress. Then it is closed, unless it is held."""
        self._active.add(conversation)
        try:
            yield
        finally:
            self._active.discard(conversation)
            self._notify()
            if not any(conversation is held for held, _ in self._held.values()):
                conversation.close()

    async def place(self, params: ElicitRequestParams) -> ElicitResult:
        """The answer to a question in the middle of a call: it belongs to the only one in progress."""
        self._one_at_a_time = True
        self._unplaced += 1
        before = self._confusions
        try:
            if self._unplaced > 1:
                self._confuse()
            while len(self._active) > 1 and self._confusions == before:
                await self._changed.wait()
        finally:
            self._unplaced -= 1
        if self._confusions > before or not self._active:
            return CANCELLED
        (conversation,) = self._active
        return await conversation.ask(params)

    def hold(self, key: str, conversation: Conversation) -> None:
        """Keep a call that has asked, until it is taken or HELD_S are over."""
        drop = asyncio.get_running_loop().call_later(HELD_S, self._drop, key)
        self._held[key] = conversation, drop

    def take(self, key: str) -> Conversation | None:
        """The call that is held under this key, which is not held any more; None: none is."""
        conversation, drop = self._held.pop(key, (None, None))
        if drop:
            drop.cancel()
        return conversation

    def close(self) -> None:
        """Stop all held calls."""
        for key in list(self._held):
            self._drop(key)

    def _confuse(self) -> None:
        self._confusions += 1
        for one in self._active:
            one.is_confused.set()
        self._notify()

    def _drop(self, key: str) -> None:
        if conversation := self.take(key):
            conversation.close()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()
