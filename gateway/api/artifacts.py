"""Artifacts: files written by steps."""

from __future__ import annotations

import asyncio
import mimetypes
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from aiohttp import web

from contracts.api.artifacts import ArtifactQuery
from contracts.core.scopes import Scope
from contracts.runtime.confined_folder import ConfinedFolder, NotAFile, Outside
from gateway.endpoint import Call, Raw, endpoint
from gateway.http.errors import CertainRefusal, Refusal
from gateway.http.replies import json_reply

TAG = "artifacts"
MISSING = "Artifact not found"
PLAIN = "text/plain; charset=utf-8"
BYTES = "application/octet-stream"
CHUNK_BYTES = 256 * 1024
SNIFFED = 8192
"""Number of bytes that are read to decide whether a file of unknown type is text."""

REPLACED = "\ufffd"
"""Replaces bytes of a name that are not UTF-8."""

SHOWN_AS_THEY_ARE = ("image/", "audio/", "video/", "font/", "application/")
TEXT_TYPES = frozenset(
    {
        "application/ecmascript",
        "application/javascript",
        "application/json",
        "application/ld+json",
        "application/rtf",
        "application/sql",
        "application/toml",
        "application/x-sh",
        "application/x-tex",
        "application/xml",
        "application/yaml",
    }
)
NO_SCRIPTS = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; sandbox"}
"""Artifacts may contain untrusted content. Browsers must not run scripts in them."""


@endpoint(
    "GET",
    "/api/v1/artifacts",
    summary="List artifacts",
    tag=TAG,
    scope=Scope.READ,
    query=ArtifactQuery,
    responses={200: list[str]},
)
async def list_artifacts(call: Call[None, ArtifactQuery]) -> web.StreamResponse:
    """Returns the names in alphabetical order. `recursive` includes the files in sub-folders."""
    root = call.gateway.settings.artifacts_dir
    return json_reply(await asyncio.to_thread(_names, root, recursive=call.query.recursive))


@endpoint(
    "GET",
    r"/api/v1/artifacts/{filename:[\s\S]+}",
    summary="Get the content of an artifact",
    tag=TAG,
    scope=Scope.READ,
    responses={200: Raw("*/*", "The bytes of the file. All text formats, even HTML, are text/plain.")},
    missing=MISSING,
    errors={
        403: "The name points outside the artifacts folder.",
        409: "Several files match, because their names are not valid UTF-8.",
    },
)
async def get_artifact(call: Call[None, None]) -> web.StreamResponse:
    """The name may contain folders. Its slashes may be escaped."""
    root = call.gateway.settings.artifacts_dir
    try:
        file, media_type = await asyncio.to_thread(_open, root, call.path["filename"])
    except (OSError, NotAFile):
        raise CertainRefusal(404, MISSING) from None
    with file:
        return await _send(call.request, file, media_type)


ENDPOINTS = (list_artifacts, get_artifact)


class _Entry(NamedTuple):
    """An entry of a directory."""

    name: str
    is_directory: bool
    is_file: bool
    """Also for a link that leads to a file."""
    is_link: bool

    @classmethod
    def of(cls, entry: os.DirEntry[str]) -> _Entry:
        """Examine an entry. Its directory must still be open."""
        is_directory = entry.is_dir(follow_symlinks=False)
        return cls(entry.name, is_directory, _is_file(entry), entry.is_symlink())


async def _send(request: web.Request, file: BinaryIO, media_type: str) -> web.StreamResponse:
    response = web.StreamResponse(headers={**NO_SCRIPTS, "Content-Type": media_type})
    response.content_length = os.fstat(file.fileno()).st_size
    await response.prepare(request)
    if request.method != "HEAD":
        while chunk := await asyncio.to_thread(file.read, CHUNK_BYTES):
            await response.write(chunk)
    return response


def _names(root: Path, *, recursive: bool) -> list[str]:
    """Return the paths of all files, relative to `root`. U+FFFD replaces bytes that are not UTF-8."""
    return sorted(map(_display_name, _files(ConfinedFolder(root), recursive=recursive)))


def _files(folder: ConfinedFolder, *, recursive: bool) -> Iterator[str]:
    """Yield the paths of all files, relative to the folder. Links that lead out of it are skipped."""
    directories = [""]
    while directories:
        directory = directories.pop()
        for entry in _entries(folder, directory):
            path = f"{directory}{entry.name}"
            if recursive and entry.is_directory:
                directories.append(f"{path}/")
            elif entry.is_file and (not entry.is_link or _is_inside(folder, path)):
                yield path


def _entries(folder: ConfinedFolder, directory: str) -> list[_Entry]:
    """Return the entries of a directory. An unreadable directory has none."""
    try:
        with folder.directory(Path(directory)) as opened, os.scandir(opened) as entries:
            return [_Entry.of(entry) for entry in entries]
    except OSError:
        return []


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _is_inside(folder: ConfinedFolder, path: str) -> bool:
    try:
        folder.locate(path)
    except Outside:
        return False
    return True


def _display_name(path: str) -> str:
    return os.fsencode(path).decode("utf-8", "replace")


def _named(folder: ConfinedFolder, name: str) -> str:
    """Return the path of the file whose name is shown as `name`.

    Raises:
        Refusal: several files match.
    """
    if REPLACED not in name or (folder.root / name).exists():
        return name
    found = [path for path in _files(folder, recursive=True) if _display_name(path) == name]
    if len(found) > 1:
        raise Refusal(409, f"{len(found)} files have names like this that are not UTF-8: rename them first")
    return found[0] if found else name


def _open(root: Path, name: str) -> tuple[BinaryIO, str]:
    """Open a file and return it with its media type.

    Raises:
        OSError: there is no such file.
        NotAFile: it is something else.
        Refusal: the file is not inside `root`, or several files match.
    """
    folder = ConfinedFolder(root)
    try:
        path = folder.locate(_named(folder, name))
    except Outside:
        raise Refusal(403, "Access denied") from None
    file = os.fdopen(folder.open(path, os.O_RDONLY), "rb")
    start = file.read(SNIFFED)
    file.seek(0)
    return file, _media_type(path, start)


def _media_type(path: Path, start: bytes) -> str:
    guessed, encoding = mimetypes.guess_type(path.name)
    if encoding:
        return BYTES
    if guessed is None:
        return PLAIN if _is_text(start) else BYTES
    is_text = guessed in TEXT_TYPES or guessed.endswith(("+xml", "+json"))
    return guessed if guessed.startswith(SHOWN_AS_THEY_ARE) and not is_text else PLAIN


def _is_text(start: bytes) -> bool:
    """Whether `start` is UTF-8 text. It may end within a character."""
    if b"\x00" in start:
        return False
    try:
        start.decode()
    except UnicodeDecodeError as error:
        return len(start) == SNIFFED and error.start > SNIFFED - 4
    return True
