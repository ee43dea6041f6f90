"""The console's files, and the routes that serve them."""

from __future__ import annotations

import gzip
import mimetypes
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from aiohttp import web
from aiohttp.typedefs import Handler

INDEX = "index.html"
PAGES = (
    "inbox",
    "search",
    "runs",
    "new",
    "goals",
    "dags",
    "agents",
    "costs",
    "artifacts",
    "compare",
    "system",
    "reference",
)
"""First parts of the paths of pages. All pages are one document; its script shows the page of the path."""

READS = ("GET", "HEAD")
NOT_PAGES = ("/api/", "/console/")
"""Beginnings of paths that have no pages below them."""

POLICY = (
    "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "img-src 'self' data:"
)
"""Content Security Policy: no inline script, and nothing from another host."""

MEDIA_TYPES = {".js": "text/javascript", ".json": "application/json", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class Asset:
    """One file of the console."""

    content: bytes
    compressed: bytes
    """The content in gzip format."""
    media_type: str
    etag: str

    def reply(self, request: web.Request, status: int = 200) -> web.Response:
        """Answer with the file and `status`, or with 304 if the browser has it and the status is 200."""
        headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
            "Content-Type": self.media_type,
            "ETag": f'"{self.etag}"',
            "Referrer-Policy": "no-referrer",
            "Vary": "Accept-Encoding",
        }
        if status == 200 and any(tag.value == self.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            headers["Content-Encoding"] = "gzip"
            return web.Response(status=status, body=self.compressed, headers=headers)
        return web.Response(status=status, body=self.content, headers=headers)


@cache
def assets() -> dict[str, Asset]:
    """Return all files by their path below `/console/`."""
    return {path: _asset(path, file.read_bytes()) for path, file in _walk(files(__package__) / "static", "")}


def routes() -> list[web.RouteDef]:
    """Return the routes of the pages and of their files."""
    page = _serve(INDEX)
    return [
        web.get("/", page),
        *(web.get(f"/{name}{rest}", page) for name in PAGES for rest in ("", "/{id}")),
        web.get("/console/{path:.+}", _file),
    ]


def is_missing_page(request: web.Request) -> bool:
    """Whether a browser asks for a page at an unknown address, and not for something of the API or a file."""
    is_unknown = request.match_info.http_exception is not None
    if not is_unknown or request.method not in READS or request.path.startswith(NOT_PAGES):
        return False
    return "text/html" in request.headers.get("Accept", "").lower()


@web.middleware
async def no_such_page(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser at an unknown address with the console and 404. The console says what is wrong."""
    return assets()[INDEX].reply(request, 404) if is_missing_page(request) else await handler(request)


def _serve(path: str) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        return assets()[path].reply(request)

    return serve


async def _file(request: web.Request) -> web.StreamResponse:
    asset = assets().get(request.match_info["path"])
    if asset is None:
        raise web.HTTPNotFound
    return asset.reply(request)


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry


def _asset(path: str, content: bytes) -> Asset:
    suffix = f".{path.rpartition('.')[2]}"
    media_type = MEDIA_TYPES.get(suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return Asset(
        content,
        gzip.compress(content, mtime=0),
        f"{media_type}; charset=utf-8" if suffix != ".png" else media_type,
        sha256(content).hexdigest()[:32],
    )
