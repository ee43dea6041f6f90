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

    def reply(self, request: web.Request) -> web.Response:
        """Answer with the file, or with 304 if the browser has it."""
        headers = {
            "Cache-Control": "no-cache",
            "Content-Security-Policy": POLICY,
            "Content-Type": self.media_type,
            "ETag": f'"{self.etag}"',
            "Referrer-Policy": "no-referrer",
            "Vary": "Accept-Encoding",
        }
        if any(tag.value == self.etag for tag in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            return web.Response(body=self.compressed, headers={**headers, "Content-Encoding": "gzip"})
        return web.Response(body=self.content, headers=headers)


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
