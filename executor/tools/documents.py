"""Title and readable text of web pages, PDF files and plain text.

Takes CPU time and memory without bounds: call it through `parsers`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from contracts.core.outcome import Reject
from executor.tools.encodings import decode
from executor.tools.filetypes import content_type_of, known_binary_type

if TYPE_CHECKING:
    from lxml.html import HtmlElement

UNTITLED = "Untitled"
LARGEST_ARTICLE = 2 * 1024 * 1024
"""Bytes of HTML. Finding the main text takes a second or two per MiB; of larger pages all text is taken."""
ENOUGH = 200_000
"""Characters of a PDF file after which no more pages are read: several times what any tool returns."""
SOON_S = 10
"""A page that names another one to go to within so many seconds only leads there."""
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset({"application/json", "application/xml", "application/javascript"})
_TEXT_SUFFIXES = ("+json", "+xml")
_REFRESH = re.compile(r"""\s*(\d+)(?:\.\d*)?\s*[;,]\s*(?:url\s*=\s*)?["']?([^"']+)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader would see."""

    title: str
    text: str
    content_type: str = "text/plain"
    """As found, where the sender did not say."""
    encoding: str | None = None
    """In which its text was written; None for types that have their own way."""
    refresh: str | None = None
    """The address, perhaps a relative one, of the page that this one leads to by itself."""


def read_document(body: bytes, said: str, charset: str | None) -> Document:
    """The document in `body`, of which the server says that it is of the content type `said`; "" for none.

    Raises:
        Reject: of a type that has no text, or broken.
    """
    content_type = content_type_of(body, said)
    try:
        if content_type == "application/pdf":
            return _pdf(body)
        if content_type in _HTML:
            return _html(body, content_type, charset)
        if content_type.startswith("text/") or content_type in _TEXT or content_type.endswith(_TEXT_SUFFIXES):
            return _plain(body, content_type, charset)
    except Reject:
        raise
    except MemoryError as error:
        raise Reject(f"Unreadable {content_type}: it takes too much memory") from error
    except Exception as error:  # malformed files make the parsers raise nearly anything
        raise Reject(f"Unreadable {content_type}: {type(error).__name__}: {error}") from error
    raise Reject(f"Unsupported content type: {content_type}")


def _html(body: bytes, content_type: str, charset: str | None) -> Document:
    from trafilatura import extract, html2txt, load_html  # noqa: PLC0415  slow to import

    _require_text(body, content_type)
    page = decode(body, charset, markup=True)
    tree = load_html(page.text)
    if tree is None:
        tree = load_html(f"<html><body>{page.text}</body></html>")  # a fragment: browsers show these too
    if tree is None:
        return Document(UNTITLED, "", content_type, page.encoding)
    title = " ".join((tree.findtext(".//title") or "").split())
    refresh = _refresh(tree)
    article = extract(tree, favor_recall=True) if len(body) <= LARGEST_ARTICLE else None
    text = (article or html2txt(tree)).strip()
    return Document(title or UNTITLED, text, content_type, page.encoding, refresh)


def _refresh(tree: HtmlElement) -> str | None:
    for meta in tree.iter("meta"):
        if meta.get("http-equiv", "").strip().lower() == "refresh":
            found = _REFRESH.match(meta.get("content", ""))
            return found[2].strip() if found and int(found[1]) <= SOON_S else None
    return None


def _pdf(body: bytes) -> Document:
    from pypdf import PdfReader  # noqa: PLC0415  slow to import

    reader = PdfReader(BytesIO(body))
    title = reader.metadata.title if reader.metadata else None
    pages: list[str] = []
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        if sum(map(len, pages)) > ENOUGH:
            break
    return Document(str(title or UNTITLED), "\n\n".join(pages).strip(), "application/pdf")


def _plain(body: bytes, content_type: str, charset: str | None) -> Document:
    _require_text(body, content_type)
    text = decode(body, charset, markup=content_type.endswith("xml"))
    return Document(UNTITLED, text.text, content_type, text.encoding)


def _require_text(body: bytes, content_type: str) -> None:
    """Raises Reject for a file that only claims to be text."""
    if found := known_binary_type(body):
        raise Reject(f"Unsupported content type: {found}, though the server says {content_type}")
