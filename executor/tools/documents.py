"""Title and readable text of web pages, PDF files and plain text. Takes CPU time: call it in a thread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO

from contracts.core.outcome import Reject

UNTITLED = "Untitled"
LARGEST_ARTICLE = 2 * 1024 * 1024
"""Bytes of HTML. Finding the main text takes a second or two per MiB; of larger pages all text is taken."""
ENOUGH = 200_000
"""Characters of a PDF file after which no more pages are read: several times what any tool returns."""
_HTML = frozenset({"text/html", "application/xhtml+xml"})
_TEXT = frozenset({"application/json", "application/xml", "application/javascript"})
_PDF_MAGIC = b"%PDF-"


@dataclass(frozen=True, slots=True)
class Document:
    """What a reader would see."""

    title: str
    text: str


def read_document(body: bytes, content_type: str, charset: str | None) -> Document:
    """The document in `body`.

    Raises:
        Reject: of a type that has no text, or broken.
    """
    read = _reader(body, content_type)
    try:
        return read(body, charset)
    except Exception as error:  # malformed files make the parsers raise nearly anything
        raise Reject(f"Unreadable {content_type}: {type(error).__name__}: {error}") from error


def _reader(body: bytes, content_type: str) -> Callable[[bytes, str | None], Document]:
    if content_type == "application/pdf" or body.startswith(_PDF_MAGIC):
        return _pdf
    if content_type in _HTML:
        return _html
    if content_type.startswith("text/") or content_type in _TEXT or content_type.endswith(("+json", "+xml")):
        return _plain
    raise Reject(f"Unsupported content type: {content_type}")


def _html(body: bytes, charset: str | None) -> Document:
    from trafilatura import extract, html2txt, load_html  # noqa: PLC0415  slow to import
    from trafilatura.utils import decode_file  # noqa: PLC0415

    page = _decoded(body, charset) if charset else decode_file(body)
    tree = load_html(page)
    if tree is None:
        tree = load_html(f"<html><body>{page}</body></html>")  # a fragment: browsers show these too
    if tree is None:
        return Document(UNTITLED, "")
    title = " ".join((tree.findtext(".//title") or "").split())
    article = extract(tree, favor_recall=True) if len(body) <= LARGEST_ARTICLE else None
    return Document(title or UNTITLED, (article or html2txt(tree)).strip())


def _pdf(body: bytes, _charset: str | None) -> Document:
    from pypdf import PdfReader  # noqa: PLC0415  slow to import

    reader = PdfReader(BytesIO(body))
    title = reader.metadata.title if reader.metadata else None
    pages: list[str] = []
    for page in reader.pages:
        pages.append(page.extract_text().strip())
        if sum(map(len, pages)) > ENOUGH:
            break
    return Document(str(title or UNTITLED), "\n\n".join(pages).strip())


def _plain(body: bytes, charset: str | None) -> Document:
    return Document(UNTITLED, _decoded(body, charset))


def _decoded(body: bytes, charset: str | None) -> str:
    try:
        return body.decode(charset or "utf-8", "replace")
    except LookupError:
        return body.decode("utf-8", "replace")
