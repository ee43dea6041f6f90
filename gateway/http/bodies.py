"""Reads the body, query and path of a request, and refuses values that cannot be stored."""

from __future__ import annotations

import asyncio
from codecs import BOM_UTF8
from collections.abc import Awaitable, Iterator, Mapping
from typing import TypeVar

from aiohttp import web

from contracts.core.event import Json
from contracts.core.foreign_json import MAX_DEPTH, TooLargeInteger, depth, parse_json
from contracts.domain.issues import Issue
from gateway.http.errors import BODY_TOO_LARGE, INVALID_BODY, WRONG_MEDIA_TYPE, FrameworkRefusal, Refusal

T = TypeVar("T")

MAX_BODY_BYTES = 1024 * 1024
MAX_VALUES = 100_000
"""Maximum number of items and members of a body, because validating each is slow."""
BODY_S = 30.0
"""Maximum seconds to receive a JSON body."""
JSON = "application/json"


async def body_of(request: web.Request) -> Json:
    """Read the JSON body. An empty body is `{}`.

    Raises:
        FrameworkRefusal: the body is not JSON, is too large or too slow, or has another Content-Type.
        Refusal: it contains a NUL character, an integer of more than 64 bits, or too many values or levels.
    """
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise FrameworkRefusal(413, "Request body is too large: send at most 1 MiB", BODY_TOO_LARGE)
    raw = await receive_within(BODY_S, request.read())
    if not raw:
        return {}
    _check_media_type(request.headers.get("Content-Type"))
    try:
        value = parse_json(raw.removeprefix(BOM_UTF8))
    except TooLargeInteger as error:
        wrong = Issue(error.path, error.problem).as_json()
        raise Refusal(400, INVALID_BODY, validation_errors=[wrong]) from error
    except ValueError as error:
        raise FrameworkRefusal(400, f"The body is not valid JSON: {_syntax_error(raw, error)}") from error
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and depth(value) > MAX_DEPTH:
        raise Refusal(400, f"The body is nested more than {MAX_DEPTH} levels deep; make it flatter")
    if raw.count(b",") >= MAX_VALUES and (count := _count(value)) > MAX_VALUES:
        raise Refusal(400, f"The body holds {count} values; send at most {MAX_VALUES}, or fewer at a time")
    if rb"\u0000" in raw:
        _check_no_nul(value)
    return value


async def receive_within(seconds: float, received: Awaitable[T]) -> T:
    """Wait up to `seconds` for a body.

    Raises:
        FrameworkRefusal: the body did not arrive in time.
    """
    try:
        async with asyncio.timeout(seconds):
            return await received
    except TimeoutError:
        raise FrameworkRefusal(408, f"The body did not arrive within {seconds:g} s: send it faster") from None


def _syntax_error(raw: bytes, error: ValueError) -> str:
    """Return the parser's error, with advice if the encoding is wrong."""
    try:
        raw.decode()
    except UnicodeDecodeError as where:
        return f"byte {where.start} is not UTF-8; send every text as UTF-8"
    if "surrogate" in str(error):
        return f"{error}; write a character above U+FFFF as itself, or as a pair of surrogates"
    return str(error)


def query_of(request: web.Request) -> dict[str, Json]:
    """Return the query: text by key, or a list if a key is repeated.

    Raises:
        Refusal: a value contains NUL or is not UTF-8.
    """
    query = {}
    for key in request.query:
        values = request.query.getall(key)
        for text in (key, *values):
            check_text(text, "The query")
        query[key] = values[0] if len(values) == 1 else values
    return query


def checked_path(match_info: Mapping[str, str]) -> dict[str, str]:
    """Return the path variables.

    Raises:
        Refusal: a value contains NUL or is not UTF-8.
    """
    for value in match_info.values():
        check_text(value, "The path")
    return dict(match_info)


def check_text(text: str, where: str) -> None:
    """Require that `text` is valid. `where` is the start of the error message.

    Raises:
        Refusal: `text` contains NUL or is not UTF-8.
    """
    if "\x00" in text:
        raise Refusal(400, f"{where} contains a NUL character; remove it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refusal(400, f"{where} is not valid UTF-8; send every text as UTF-8") from None


def _check_media_type(content_type: str | None) -> None:
    media_type = (content_type or "").partition(";")[0].strip().lower()
    if media_type != JSON and not media_type.endswith("+json"):
        message = f"Unsupported Media Type: {media_type or 'none given'}; send application/json"
        raise FrameworkRefusal(415, message, WRONG_MEDIA_TYPE)


def _check_no_nul(value: Json) -> None:
    for text in _texts(value):
        if "\x00" in text:
            raise Refusal(400, f"The body contains a NUL character, in {text[:40]!r}; remove it")


def _texts(value: Json) -> Iterator[str]:
    """Yield every string in a JSON value, including keys."""
    match value:
        case str():
            yield value
        case dict():
            yield from value
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def _count(value: Json) -> int:
    """Count the members and items at all levels."""
    count, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict | list):
            count += len(one)
            waiting += one.values() if isinstance(one, dict) else one
    return count
