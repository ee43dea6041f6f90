"""Sending requests and reading answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import aiohttp
import orjson
from pydantic import BaseModel, TypeAdapter, ValidationError
from yarl import URL

from contracts.client.errors import (
    PASSING,
    ClientError,
    EmptyArgument,
    InvalidAnswer,
    Refused,
    RetryLimit,
    Unreachable,
)
from contracts.client.sse import Message, Parser
from contracts.core.event import Json

T = TypeVar("T")

ANSWER_S = 60.0
SILENCE_S = 40.0
"""A stream that is silent for this long is broken: the server sends a heartbeat every 15 s."""

OnAnswer = Callable[[bytes], None]
"""Receives the bytes of each answer that is not an error, and the data of each event."""


@dataclass(frozen=True, slots=True)
class Content:
    """The bytes of an answer and their media type."""

    body: bytes
    media_type: str
    """In lower case, without parameters."""


def path(*segments: str) -> str:
    """Return the path `/api/v1/…`. Special characters in the segments are escaped.

    Raises:
        EmptyArgument: a segment is empty, so the path would be that of another operation.
    """
    if "" in segments:
        shown = "/".join(one or "<empty>" for one in segments)
        raise EmptyArgument(f"an id or a name is empty: give one for <empty> in {shown}")
    return "/".join(("/api/v1", *(quote(segment, safe="") for segment in segments)))


class Http:
    """One system's HTTP server."""

    def __init__(self, base_url: str, api_key: str | None, patience_s: float, on_answer: OnAnswer) -> None:
        self.base_url = base_url.rstrip("/")
        self.patience_s = patience_s
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._on_answer = on_answer
        self._open_session: aiohttp.ClientSession | None = None

    def open(self) -> None:
        """Open the session."""
        self._open_session = aiohttp.ClientSession(
            headers=self._headers, json_serialize=lambda body: orjson.dumps(body).decode()
        )

    async def close(self) -> None:
        """Close all connections."""
        await self._session.close()

    async def get(self, answer: type[T], path: str, **query: Json) -> T:
        """GET `path`. Query values that are None are omitted.

        Raises:
            Unreachable: no server answers.
            Refused: the server returns an error.
            InvalidAnswer: the answer is not a valid `answer`.
        """
        return parse_answer(answer, await self.call("GET", path, query=query))

    async def send(
        self, answer: type[T], method: str, path: str, body: BaseModel | None = None, key: str | None = None
    ) -> T:
        """Send `body` without its unset fields. Raises the errors of `get`."""
        return parse_answer(answer, await self.call(method, path, body_as_json(body), headers=keyed(key)))

    async def accepted(self, answer: type[T], path: str) -> T:
        """GET `path` of an accepted request. Temporary errors are retried. Raises the errors of `get`."""
        patience = RetryLimit(self.patience_s, PASSING | {HTTPStatus.NOT_FOUND})
        while True:
            try:
                return await self.get(answer, path)
            except ClientError as error:
                patience.raise_unless_temporary(error)
            await asyncio.sleep(patience.pause())

    async def call(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        query: Mapping[str, Json] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = ANSWER_S,
    ) -> Json:
        """Send a request and return the answer as JSON, or None if it is empty.

        Raises:
            Unreachable: no server answers in time.
            Refused: the server returns an error.
        """
        timeout = aiohttp.ClientTimeout(timeout_s)
        answer = await self._content(
            method, self._url(path, query or {}), json=body, headers=headers, timeout=timeout
        )
        return _parsed(answer.body) if answer.body else None

    async def submit(self, answer: type[T], path: str, form: aiohttp.FormData, timeout_s: float) -> T:
        """Send a form. Raises the errors of `get`."""
        timeout = aiohttp.ClientTimeout(timeout_s)
        content = await self._content("POST", self._url(path, {}), data=form, timeout=timeout)
        return parse_answer(answer, _parsed(content.body))

    async def content(self, path: str) -> Content:
        """GET `path`, whose content may be large and of any type. Raises the errors of `call`."""
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_S, sock_read=ANSWER_S)
        return await self._content("GET", self._url(path, {}), timeout=timeout)

    async def follow(
        self, path: str, after: int | None, *, ends: bool = False, **query: Json
    ) -> AsyncGenerator[Message]:
        """Yield the messages of a stream after position `after`.

        A broken connection is reopened. The stream resumes after the last message that has a position in
        the log. It ends when the caller stops reading, or, if `ends`, when the server ends it.

        Raises:
            Unreachable: no server has answered for `patience_s` seconds.
            Refused: the server returns an error.
        """
        position = None if after is None else str(after)
        patience = RetryLimit(self.patience_s)
        while True:
            try:
                async with aclosing(self._stream(self._url(path, query), position)) as stream:
                    async for message in stream:
                        position = message.id or position
                        patience.renew()
                        self._on_answer(message.data.encode())
                        yield message
                if ends:
                    return
            except ClientError as error:
                patience.raise_unless_temporary(error)
            await asyncio.sleep(patience.pause())

    @property
    def _session(self) -> aiohttp.ClientSession:
        if self._open_session is None:
            raise RuntimeError("use the client as `async with Client(…) as client`")
        return self._open_session

    def _url(self, path: str, query: Mapping[str, Json]) -> URL:
        given = {name: _text(value) for name, value in query.items() if value is not None}
        return URL(f"{self.base_url}{path}{'?' if given else ''}{urlencode(given)}", encoded=True)

    async def _content(self, method: str, url: URL, **options: Any) -> Content:
        """Send a request. `options` are passed to aiohttp."""
        try:
            async with self._session.request(method, url, **options) as response:
                answer = Content(await response.read(), response.content_type)
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error
        if response.status >= HTTPStatus.BAD_REQUEST:
            raise Refused(response.status, _parsed(answer.body))
        self._on_answer(answer.body)
        return answer

    async def _stream(self, url: URL, position: str | None) -> AsyncGenerator[Message]:
        headers = {"Accept": "text/event-stream"}
        if position is not None:
            headers["Last-Event-ID"] = position
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=ANSWER_S, sock_read=SILENCE_S)
        parser = Parser()
        try:
            async with self._session.get(url, headers=headers, timeout=timeout) as response:
                if response.status != HTTPStatus.OK:
                    raise Refused(response.status, _parsed(await response.read()))
                async for piece in response.content.iter_any():
                    for message in parser.feed(piece):
                        yield message
        except (aiohttp.ClientError, TimeoutError) as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: Exception) -> Unreachable:
        reason = "no answer in time" if isinstance(error, TimeoutError) else str(error)
        return Unreachable(f"no Async Agent at {self.base_url}: {reason}")


def keyed(key: str | None) -> dict[str, str]:
    """Return the header that makes a request safe to repeat with the same key."""
    return {} if key is None else {"Idempotency-Key": key}


def body_as_json(body: BaseModel | None) -> Json:
    """Return a body as JSON, without unset fields."""
    return body.model_dump(mode="json", by_alias=True, exclude_unset=True) if body else None


def parse_answer(answer: type[T], body: Json) -> T:
    """Parse `body` as an `answer`.

    Raises:
        InvalidAnswer: the body is not valid.
    """
    try:
        return TypeAdapter(answer).validate_python(body)
    except ValidationError as error:
        raise InvalidAnswer(f"the answer is not valid for this version of the client: {error}") from error


def _text(value: Json) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ",".join(value)
    return str(value)


def _parsed(body: bytes) -> Json:
    """Parse the JSON of an answer. An answer that is not JSON becomes an error text."""
    try:
        return orjson.loads(body)
    except ValueError:
        return {"error": body.decode("utf-8", "replace")[:500]}
