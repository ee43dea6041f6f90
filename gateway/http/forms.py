"""Reads multipart/form-data bodies: fields and files of limited size."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import BadHttpMessage

from contracts.core.text import clean_text
from gateway.http.bodies import check_text, receive_within
from gateway.http.errors import BODY_TOO_LARGE, WRONG_MEDIA_TYPE, FrameworkRefusal, Refusal

MIB = 1024 * 1024
MAX_FIELD_BYTES = MIB
MAX_FILE_BYTES = 10 * MIB
MAX_BYTES = 40 * MIB
"""Maximum size of a form."""
FULL = "Too many files are being sent at once: try again in a moment"
MAX_HELD_BYTES = 128 * MIB
"""Maximum size of all forms in memory."""
MAX_PARTS = 40
FORM_S = 300.0
"""Maximum seconds to receive a form."""

Take = Callable[[int], None]

MALFORMED = (ValueError, LookupError, RuntimeError, AssertionError, BadHttpMessage)
"""Exceptions that the reader raises for an invalid form."""


@dataclass(frozen=True, slots=True)
class Upload:
    """One file of a form."""

    filename: str
    """File name without folders."""
    media_type: str
    """Media type from the client. It may be empty."""
    content: bytes


@dataclass(frozen=True, slots=True)
class Form:
    """A received form. If fields have the same name, the last one counts."""

    fields: Mapping[str, str]
    files: Sequence[Upload]


class FormMemory:
    """Limits the total size of the forms in memory."""

    def __init__(self, most: int = MAX_HELD_BYTES) -> None:
        self._left = most

    @contextmanager
    def held(self) -> Iterator[Take]:
        """Yield a function that reserves a number of bytes until the end of the block.

        The function raises Refusal if the limit is exceeded.
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
async def form_of(request: web.Request, room: FormMemory) -> AsyncGenerator[Form]:
    """Read the form in the body. It is valid until the end of the block. A part with a file name is a file.

    Raises:
        FrameworkRefusal: the body is not a form, arrives too slowly, or has another Content-Type.
        Refusal: a part is too large, a field is not text, or too many forms are being received.
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
        return await receive_within(FORM_S, _read(request, take))
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
    """Return the file name after the last slash or backslash, without line breaks."""
    name = clean_text(filename).replace("\\", "/").rpartition("/")[2]
    return "".join(char for char in name if char.isprintable()) or "file"


def _too_large(what: str, limit: int) -> FrameworkRefusal:
    return FrameworkRefusal(413, f"{what} is too large: send at most {limit // MIB} MiB", BODY_TOO_LARGE)
