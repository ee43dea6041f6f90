"""What a reader gets of a body of bytes."""

from __future__ import annotations

import zlib
from io import BytesIO

import pytest
from pypdf import PdfWriter

from contracts.core.outcome import Reject
from executor.tools import documents
from executor.tools.documents import read_document
from tests.documents import pdf


def page(body: str, title: str = "Cats") -> bytes:
    return f"<html><head><title>{title}</title></head><body>{body}</body></html>".encode()


def shown(body: bytes, content_type: str, charset: str | None) -> tuple[str, str]:
    """Title and text."""
    document = read_document(body, content_type, charset)
    return document.title, document.text


def test_only_title_and_main_text_of_a_page_remain() -> None:
    story = "Cats sleep for most of the day, and hunt at dusk and dawn. " * 5
    body = page(
        f"<nav>Home About</nav><script>alert(1)</script><article><h1>Cats</h1><p>{story}</p></article>"
    )
    document = read_document(body, "text/html", "utf-8")
    assert document.title == "Cats"
    assert story.strip() in document.text
    assert "alert" not in document.text


def test_a_page_without_a_main_text_gives_what_text_it_has() -> None:
    document = read_document(
        page("<ul><li><a href='/a'>One</a></li></ul><script>x()</script>"), "text/html", None
    )
    assert "One" in document.text
    assert "x()" not in document.text


def test_the_title_is_one_line() -> None:
    assert read_document(page("<p>x</p>", title="Big\n  cats"), "text/html", None).title == "Big cats"


def test_all_text_of_a_huge_page_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finding the main text of it would take too long."""
    body = page("<nav>Menu</nav><article><p>Story</p></article><script>x()</script>")
    monkeypatch.setattr(documents, "LARGEST_ARTICLE", len(body) - 1)
    assert shown(body, "text/html", None) == ("Cats", "Menu Story")


@pytest.mark.parametrize(
    ("body", "text"), [(b"OK", "OK"), (b"<p>a <b>bold</b> word", "a bold word"), (b" 1 < 2", "1 < 2")]
)
def test_a_fragment_is_a_page_too(body: bytes, text: str) -> None:
    assert shown(body, "text/html", None) == ("Untitled", text)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"<p>", b"<html><frameset></frameset></html>"])
def test_an_empty_page_is_an_empty_untitled_document(body: bytes) -> None:
    assert shown(body, "text/html", None) == ("Untitled", "")


def test_a_page_is_read_in_the_encoding_it_declares() -> None:
    text = "Der Frühling läßt sein blaues Band wieder flattern durch die Lüfte. " * 5
    body = f"<html><body><p>{text}</p></body></html>".encode("latin-1")
    assert "Frühling läßt" in read_document(body, "text/html", "iso-8859-1").text


def test_a_pdf_gives_its_title_and_text() -> None:
    assert shown(pdf("Hello PDF", "A title"), "application/pdf", None) == ("A title", "Hello PDF")


def test_a_pdf_is_known_by_its_first_bytes_too() -> None:
    assert read_document(pdf("Hello", "T"), "application/octet-stream", None).text == "Hello"


def test_no_more_pages_of_a_long_pdf_are_read_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    writer = PdfWriter()
    for _ in range(3):
        writer.append(BytesIO(pdf("Hello", "T")))
    file = BytesIO()
    writer.write(file)
    monkeypatch.setattr(documents, "ENOUGH", 8)
    assert read_document(file.getvalue(), "application/pdf", None).text == "Hello\n\nHello"


def test_a_broken_pdf_is_rejected() -> None:
    with pytest.raises(Reject, match="Unreadable application/pdf"):
        read_document(b"%PDF-1.4 nothing more", "application/pdf", None)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "text/csv", "application/json", "application/ld+json", "application/atom+xml"],
)
def test_text_is_taken_as_it_is(content_type: str) -> None:
    assert shown('{"a": "ü"}'.encode(), content_type, None) == ("Untitled", '{"a": "ü"}')


@pytest.mark.parametrize("charset", ["no-such-charset", "utf-8", None])
def test_bytes_that_are_no_utf8_are_replaced_only_where_it_is_said_to_be_utf8(charset: str | None) -> None:
    expected = "a\ufffd" if charset == "utf-8" else "aÿ"
    assert read_document(b"a\xff", "text/plain", charset).text == expected


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


OFFICE = "application/vnd.openxmlformats-officedocument"


@pytest.mark.parametrize("kind", ["wordprocessingml.document", "spreadsheetml.sheet"])
def test_a_rejected_document_says_what_can_be_read(kind: str) -> None:
    said = f"Unsupported content type: {OFFICE}.{kind}; HTML, PDF and any text can be read"
    with pytest.raises(Reject, match=said):
        read_document(b"PK\x03\x04\x14\0\x06\0", f"{OFFICE}.{kind}", None)


@pytest.mark.parametrize("content_type", ["image/png", "application/zip", "video/mp4"])
def test_a_document_without_text_is_rejected(content_type: str) -> None:
    with pytest.raises(Reject, match=f"Unsupported content type: {content_type}"):
        read_document(b"\x89PNG\0", content_type, None)


@pytest.mark.parametrize(
    "content_type",
    ["application/x-ndjson", "application/jsonl", "application/yaml", "application/vnd.ms-excel"],
)
def test_a_file_that_is_text_is_read_whatever_its_type_is_called(content_type: str) -> None:
    assert read_document(b"a,b\n1,2\n", content_type, None).text == "a,b\n1,2\n"


@pytest.mark.parametrize("content_type", ["application/pdf", "application/msword"])
def test_a_page_that_is_sent_as_another_kind_of_document_is_read_as_a_page(content_type: str) -> None:
    document = read_document(page("<p>Please sign in"), content_type, None)
    assert (document.content_type, "Please sign in" in document.text) == ("text/html", True)


def test_a_picture_is_not_read_even_if_it_is_text() -> None:
    with pytest.raises(Reject, match="Unsupported content type: image/x-xpixmap"):
        read_document(b"/* XPM */ static char *a[] = {};", "image/x-xpixmap", None)


def test_a_page_of_frames_names_them() -> None:
    body = b"<html><frameset><frame src=menu.html><frame src=' text.html '><frame></frameset></html>"
    assert read_document(body, "text/html", None).frames == ("menu.html", "text.html")


@pytest.mark.parametrize("content_type", ["", "application/octet-stream", "text/html", "text/plain"])
def test_a_file_that_is_not_text_is_rejected_by_its_own_type_whatever_is_said(content_type: str) -> None:
    with pytest.raises(Reject, match="Unsupported content type: image/png"):
        read_document(PNG, content_type, None)


def test_a_page_with_a_stray_control_character_is_a_page_still() -> None:
    assert "One" in read_document(page("<p>One\x00two</p>"), "text/html", None).text


def test_an_encrypted_pdf_that_needs_no_password_is_read() -> None:
    writer = PdfWriter(BytesIO(pdf("Hello AES", "T")))
    writer.encrypt(user_password="", owner_password="secret", algorithm="AES-256")
    file = BytesIO()
    writer.write(file)
    assert read_document(file.getvalue(), "application/pdf", None).text == "Hello AES"


@pytest.mark.parametrize(
    ("content", "refresh"),
    [
        ("0; url=/next", "/next"),
        ("5;URL='https://a.example/x'", "https://a.example/x"),
        ("0, /next", "/next"),
        ("11; url=/next", None),
        ("30", None),
        ("soon", None),
    ],
)
def test_a_page_leads_on_if_it_says_so_and_soon(content: str, refresh: str | None) -> None:
    body = f'<html><head><meta http-equiv="Refresh" content="{content}"></head><body>x</body></html>'
    assert read_document(body.encode(), "text/html", None).refresh == refresh


FORM = '<form><input name="user"><input TYPE=" Password "><button>Sign in</button></form>'
STORY = "<p>" + "Cats sleep for most of the day, and hunt at dusk. " * 20 + "</p>"


@pytest.mark.parametrize(
    ("body", "is_login"),
    [
        (f"<h1>Sign in</h1>{FORM}", True),
        (f"<h1>Sign in</h1><nav>{STORY}</nav>{FORM}<footer>{STORY}</footer>", True),
        (f"<h1>Sign in</h1><form>{STORY}<input type=password></form>", True),
        ("<div>Your key<input type=password></div><script>" + "x();" * 500 + "</script>", True),
        (f"<header>{FORM}</header><article>{STORY}</article>", False),
        ("<h1>Search</h1><form><input type=search></form>", False),
        ("<p>Type your password.</p>", False),
    ],
    ids=range(7),
)
def test_a_page_that_asks_for_a_password_and_shows_little_else_is_a_login_page(
    body: str, *, is_login: bool
) -> None:
    assert read_document(page(body), "text/html", "utf-8").is_login is is_login


def test_links_of_a_page_with_a_base_are_relative_to_it() -> None:
    base = "<base href='https://a.example/dir/'>"
    frames = f"<html><head>{base}</head><frameset><frame src=menu.html></frameset></html>"
    refresh = f"<head>{base}<meta http-equiv=refresh content='0; url=next'></head><p>x"

    assert read_document(frames.encode(), "text/html", None).frames == ("https://a.example/dir/menu.html",)
    assert read_document(refresh.encode(), "text/html", None).refresh == "https://a.example/dir/next"


@pytest.mark.parametrize(
    "body",
    [
        "<frameset><frame src=a></frameset>",
        "<frameset><frame src=a><noframes>Your browser does not support frames.</noframes></frameset>",
        "<body><noscript>You need to enable JavaScript to run this app.</noscript><div id=root></div></body>",
    ],
)
def test_what_is_shown_to_other_browsers_only_is_not_the_text_of_a_page(body: str) -> None:
    page_ = f"<html><head><title>App</title></head>{body}</html>"
    assert shown(page_.encode(), "text/html", None) == ("App", "")


def test_a_text_for_browsers_without_scripts_is_the_text_of_a_page() -> None:
    assert "A story" in read_document(page("<noscript><p>A story</p></noscript>"), "text/html", None).text


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<svg><title>Icon</title></svg><title>Cats</title>", "Cats"),
        ("<svg><title>Icon</title></svg>", "Untitled"),
        ("<meta property='og:title' content='Cats'>", "Cats"),
        ("<title> </title><meta property='og:title' content='Cats'>", "Cats"),
    ],
)
def test_the_title_is_that_of_the_page_and_not_of_a_picture(head: str, title: str) -> None:
    body = f"<html><head>{head}</head><body><p>x</p></body></html>"
    assert read_document(body.encode(), "text/html", None).title == title


def test_json_that_is_sent_as_a_page_is_not_changed() -> None:
    text = '{"html": "<b>x</b>",\n "n": [1, 2]}'
    document = read_document(text.encode(), "text/html", None)
    assert (document.text, document.content_type) == (text, "application/json")


def test_an_encrypted_pdf_is_rejected_with_the_reason() -> None:
    writer = PdfWriter(BytesIO(pdf("Hello", "T")))
    writer.encrypt(user_password="secret", algorithm="AES-256")
    file = BytesIO()
    writer.write(file)
    with pytest.raises(Reject, match="encrypted: it can be read with a password only"):
        read_document(file.getvalue(), "application/pdf", None)


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/json"])
def test_compressed_data_that_nobody_says_is_compressed_is_not_text(content_type: str) -> None:
    compressed = zlib.compress(bytes(range(256)) * 4 + b"Cats sleep for most of the day.", wbits=-15)
    noise = (compressed + bytes(reversed(compressed))) * 2
    with pytest.raises(Reject, match="perhaps compressed"):
        read_document(noise, content_type, None)


def test_the_output_of_a_program_with_backspaces_is_text() -> None:
    assert "N" in read_document(b"N\x08NA\x08AM\x08ME\x08E\n" * 20, "text/plain", None).text
