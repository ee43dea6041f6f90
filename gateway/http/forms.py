"""Bodies in multipart/form-data: fields and files, all of them bounded."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from contracts.core.text import clean_text
from gateway.http.bodies import check_text, within
from gateway.http.errors import BODY_TOO_LARGE, WRONG_MEDIA_TYPE, FrameworkRefusal, Refusal

MIB = 1024 * 1024
MAX_FIELD_BYTES = MIB
MAX_FILE_BYTES = 10 * MIB
MAX_BYTES = 40 * MIB
"""Of all parts together."""
FULL = "Too many files are being sent at once: try again in a moment"
MAX_HELD_BYTES = 128 * MIB
"""Of all forms that are being answered."""
MAX_PARTS = 40
FORM_S = 300.0
"""Seconds that a form may take to arrive."""

Take = Callable[[int], None]

MALFORMED = (ValueError, LookupError, RuntimeError, AssertionError, BadHttpMessage)
"""What the reader raises, each for another way to be no form."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form."""

    filename: str
    """Without folders."""
    media_type: str
    """As the client says; may be empty."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A form as it was sent; of two fields with one name the last counts."""

    fields: Mapping[str, str]
    files: Sequence[Upload]


class FormRoom:
    """The bytes of all forms that are held in memory at once."""

    def __init__(self, most: int = MAX_HELD_BYTES) -> None:
        self._left = most

    @contextmanager
    def held(self) -> Iterator[Take]:
        """Yields a function that takes room for so many bytes, which is free again after the block.

        The function raises Refusal when there is no room left.
        """
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if size > self._left:
                raise Refusal(503, FULL, retry_after=1)
            taken += size
            self._left -= size

        try:
            yield take
        finally:
            self._left += taken


@asynccontextmanager
async def form_of(request: web.Request, room: FormRoom) -> AsyncGenerator[Form]:
    """The form in the body, for the time of the block. A part with a file name is a file.

    Raises:
        FrameworkRefusal: it is not a form, arrives too slowly, or says that it is something else.
        Refusal: part of it is too large, a field is not text, or too many forms are being sent.
    """
    with room.held() as take:
        yield await _received(request, take)


async def _received(request: web.Request, take: Take) -> Form:
    if request.content_type != "multipart/form-data":
        message = f"Unsupported Media Type: {request.content_type}; send multipart/form-data"
        raise FrameworkRefusal(415, clean_text(message), WRONG_MEDIA_TYPE)
    if (request.content_length or 0) > MAX_BYTES:
        raise _too_large("Request body", MAX_BYTES)
    try:
        return await within(FORM_S, _read(request, take))
    except MALFORMED as error:
        said = clean_text(str(error))[:200]
        raise FrameworkRefusal(400, f"The body is not valid multipart/form-data: {said}") from error


async def _read(request: web.Request, take: Take) -> Form:
    fields: dict[str, str] = {}
    files: list[Upload] = []
    left, number = MAX_BYTES, 0
    async for part in await request.multipart():
        number += 1
        if number > MAX_PARTS:
            raise Refusal(413, f"The form has too many parts: send at most {MAX_PARTS}")
        if not isinstance(part, BodyPartReader):
            raise Refusal(400, "The form has a part of several parts: send each file as a part of its own")
        content = await _content(part, left, take)
        left -= len(content)
        if part.filename is None:
            name = part.name or ""
            fields[name] = _text(name, content)
        else:
            media_type = part.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            files.append(Upload(_base_name(part.filename), media_type, content))
    return Form(fields, files)


async def _content(part: BodyPartReader, left: int, take: Take) -> bytes:
    limit = MAX_FIELD_BYTES if part.filename is None else MAX_FILE_BYTES
    content = bytearray()
    while not part.at_eof():
        chunk = await part.read_chunk()
        take(len(chunk))
        content += chunk
        if len(content) > limit:
            raise _too_large(f"Part {clean_text(part.filename or part.name or '')!r}", limit)
        if len(content) > left:
            raise _too_large("Request body", MAX_BYTES)
    return bytes(part.decode(content))


def _text(name: str, content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise Refusal(400, f"Field {clean_text(name)!r} is not valid UTF-8") from None
    check_text(text, f"Field {clean_text(name)!r}")
    return text


def _base_name(filename: str) -> str:
    """Whatever stands after the last slash of either kind, with nothing in it that ends a line."""
    name = clean_text(filename).replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in name if char.isprintable()) or "file"


def _too_large(what: str, limit: int) -> FrameworkRefusal:
    return FrameworkRefusal(413, f"{what} is too large: send at most {limit // MIB} MiB", BODY_TOO_LARGE)
