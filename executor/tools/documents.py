"""Extracts title and readable text from web pages, PDF files and plain text.

It may use unlimited CPU time and memory: call it through `parsers`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING
from urllib.parse import urljoin

from contracts.core.outcome import Reject
from executor.tools.encodings import decode, is_noise
from executor.tools.filetypes import binary_type, content_type_of, known_binary_type

if TYPE_CHECKING:
    from lxml.html import HtmlElement

UNTITLED = "Untitled"
READABLE = "HTML, PDF and any text can be read, such as Markdown, CSV, JSON and XML"
LARGEST_ARTICLE = 2 * 1024 * 1024
"""Maximum bytes of HTML in which the main text is searched; this takes one or two seconds per MiB. Of larger
pages all text is returned."""
ENOUGH = 200_000
"""Characters of a PDF file after which no more pages are read; more than any tool returns."""
SOON_S = 10
"""A page with a refresh within this many seconds counts as a redirect."""
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset({"application/json", "application/xml", "application/javascript"})
_TEXT_SUFFIXES = ("+json", "+xml")
_NOT_TEXT = ("image/", "audio/", "video/", "font/", "model/")
LITTLE_TEXT = 500
"""A page with a password field and fewer characters outside forms and navigation is a login page."""
_ASIDE = ("form", "nav", "header", "footer", "aside", "script", "style", "noscript", "template")
_REFRESH = re.compile(r"""\s*(\d+)(?:\.\d*)?\s*[;,]\s*(?:url\s*=\s*)?["']?([^"']+)""", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Document:
    """The title and text of a document."""

    title: str
    text: str
    content_type: str = "text/plain"
    """The content type of the sender, or the detected one."""
    encoding: str | None = None
    """The encoding of the text; None for types without a text encoding, such as PDF."""
    refresh: str | None = None
    """The URL of a refresh, possibly relative; None: no refresh."""
    frames: tuple[str, ...] = ()
    """The URLs of the frames of a page, possibly relative."""
    is_login: bool = False
    """Whether the page asks for a password and shows little else."""


def read_document(body: bytes, said: str, charset: str | None) -> Document:
    """The document in `body`. `said`: the content type that the server sent; "" if it sent none.

    Raises:
        Reject: the type has no text, or the document is damaged.
    """
    content_type = content_type_of(body, said)
    if not _is_read(content_type) and _is_text(body, content_type):
        content_type = content_type_of(body, "")
    try:
        if content_type == "application/pdf":
            return _pdf(body)
        if content_type in _HTML:
            return _html(body, content_type, charset)
        if _is_read(content_type):
            return _plain(body, content_type, charset)
    except Reject:
        raise
    except MemoryError as error:
        raise Reject(f"Unreadable {content_type}: it takes too much memory") from error
    except Exception as error:  # malformed files make the parsers raise nearly anything
        raise Reject(f"Unreadable {content_type}: {type(error).__name__}: {error}") from error
    raise Reject(f"Unsupported content type: {content_type}; {READABLE}")


def _is_read(content_type: str) -> bool:
    return (
        content_type in _HTML | _TEXT | {"application/pdf"}
        or content_type.startswith("text/")
        or content_type.endswith(_TEXT_SUFFIXES)
    )


def _is_text(body: bytes, content_type: str) -> bool:
    """Whether a file of an unknown type is text, such as NDJSON, or CSV that is declared as Excel."""
    return not content_type.startswith(_NOT_TEXT) and binary_type(body) is None


def _html(body: bytes, content_type: str, charset: str | None) -> Document:
    from trafilatura import extract, html2txt, load_html  # noqa: PLC0415  slow to import

    _require_text(body, content_type)
    page = decode(body, charset, markup=True)
    if _is_json(page.text):  # the default type of PHP is HTML
        return Document(UNTITLED, page.text, "application/json", page.encoding)
    tree = load_html(page.text)
    if tree is None:
        tree = load_html(f"<html><body>{page.text}</body></html>")  # browsers show fragments too
    if tree is None:
        return Document(UNTITLED, "", content_type, page.encoding)
    title, refresh, frames = _title(tree), _refresh(tree), _frames(tree)
    is_login, is_shell = _is_login(tree), _is_shell(tree)
    article = extract(tree, favor_recall=True) if len(body) <= LARGEST_ARTICLE else None
    text = (article or html2txt(tree)).strip()
    if is_shell and len(text) < LITTLE_TEXT:
        text = ""
    return Document(title or UNTITLED, text, content_type, page.encoding, refresh, frames, is_login)


def _is_json(text: str) -> bool:
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def _title(tree: HtmlElement) -> str:
    """The title of a page, or the title for links to it. Pictures in a page may have titles too."""
    titles = tree.xpath("//title[not(ancestor::svg)]/text() | //meta[@property='og:title']/@content")
    return next(filter(None, (" ".join(title.split()) for title in titles)), "")


def _is_shell(tree: HtmlElement) -> bool:
    """Whether the text of a page only tells that the browser needs JavaScript or frames."""
    if tree.find(".//frameset") is not None:
        return True
    if "javascript" not in " ".join(tree.xpath("//noscript//text()")).lower():
        return False
    outside = " and ".join(f"not(ancestor::{name})" for name in ("noscript", "script", "style"))
    return not "".join(tree.xpath(f"//body//text()[{outside}]")).strip()


def _absolute(tree: HtmlElement, url: str) -> str:
    """`url` as it is meant in a page, which may have a base. It is still relative if the page has none."""
    bases = tree.xpath("//base/@href")
    return urljoin(bases[0].strip(), url.strip()) if bases else url.strip()


def _is_login(tree: HtmlElement) -> bool:
    kinds = (field.get("type", "").strip().lower() for field in tree.iter("input"))
    if "password" not in kinds:
        return False
    outside = " and ".join(f"not(ancestor::{name})" for name in _ASIDE)
    texts = tree.xpath(f"//body//text()[{outside}]")
    return len(" ".join(" ".join(texts).split())) < LITTLE_TEXT


def _frames(tree: HtmlElement) -> tuple[str, ...]:
    return tuple(
        dict.fromkeys(
            _absolute(tree, source) for frame in tree.iter("frame", "iframe") if (source := frame.get("src"))
        )
    )


def _refresh(tree: HtmlElement) -> str | None:
    for meta in tree.iter("meta"):
        if meta.get("http-equiv", "").strip().lower() == "refresh":
            found = _REFRESH.match(meta.get("content", ""))
            return _absolute(tree, found[2]) if found and int(found[1]) <= SOON_S else None
    return None


def _pdf(body: bytes) -> Document:
    from pypdf import PasswordType, PdfReader  # noqa: PLC0415  slow to import

    reader = PdfReader(BytesIO(body))
    if reader.is_encrypted and reader.decrypt("") is PasswordType.NOT_DECRYPTED:
        raise Reject("The PDF file is encrypted: it can be read with a password only")
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
    """Raises Reject for a binary file that is declared as text."""
    if found := known_binary_type(body):
        raise Reject(f"Unsupported content type: {found}, though the server says {content_type}; {READABLE}")
    if is_noise(body):
        raise Reject(f"Unreadable {content_type}: it is not text, but perhaps compressed in an unknown way")
