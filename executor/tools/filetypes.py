"""Detects the media type of a file by its bytes, for files that declare none or a wrong one. Pure."""

from __future__ import annotations

import re

import filetype  # type: ignore[import-untyped]

from executor.tools.encodings import is_binary

UNKNOWN = "application/octet-stream"
_UNKNOWN_TYPES = frozenset({"", UNKNOWN, "unknown/unknown", "application/unknown", "*/*"})
"""Content types that mean "unknown"."""
_PDF = re.compile(rb"^\s*%PDF-")
_PDF_HEAD = 1024
"""Bytes in which readers of PDF look for its mark."""
_HTML = re.compile(
    rb"^(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->)*<(?:!doctype\s+html|html|head|body|script|iframe|h1|div|font|table|a|style"
    rb"|title|b|br|p|meta)[\s>]",
    re.IGNORECASE | re.DOTALL,
)
_XML = re.compile(rb"^(?:\xef\xbb\xbf)?\s*<\?xml")


def content_type_of(data: bytes, said: str) -> str:
    """The media type of `data`. `said`: the type that the sender declares."""
    if _PDF.match(data):
        return "application/pdf"
    if said not in _UNKNOWN_TYPES and not (said == "application/pdf" and b"%PDF-" not in data[:_PDF_HEAD]):
        return said
    if _HTML.match(data):
        return "text/html"
    if _XML.match(data):
        return "application/xml"
    return binary_type(data) or "text/plain"


def binary_type(data: bytes) -> str | None:
    """The media type of a binary file; None for text."""
    if _PDF.match(data):
        return "application/pdf"
    return known_binary_type(data) or (UNKNOWN if is_binary(data) else None)


def known_binary_type(data: bytes) -> str | None:
    """The media type of a binary file that is known by its first bytes; None for other files."""
    known: str | None = filetype.guess_mime(data) if is_binary(data) else None
    return known
