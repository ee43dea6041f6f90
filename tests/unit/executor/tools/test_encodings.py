"""Bytes become text as in a browser."""

from __future__ import annotations

import codecs

import pytest

from executor.tools.encodings import Decoded, decode, is_binary

GERMAN = "Name;Straße;Ort\nMüller;Königsallee 5;Düsseldorf\nGärtner;Süßmilchweg;Köln\n"

RUSSIAN = "Привет, мир! Это обычный русский текст, речь идёт про погоду, цены."


@pytest.mark.parametrize(
    ("label", "text", "written", "name"),
    [
        ("gb2312", "镕 and ㎡", "gb18030", "gbk"),
        ("iso-8859-1", "“5 €”", "cp1252", "windows-1252"),
        ("LATIN1", "“5 €”", "cp1252", "windows-1252"),
        ("us-ascii", "“5 €”", "cp1252", "windows-1252"),
        ("Shift_JIS", "①髙", "cp932", "shift_jis"),
        ("euc-kr", "똠방", "cp949", "euc-kr"),
        ("big5", "嘅", "big5hkscs", "big5"),
        (" utf8 ", "Zoë", "utf-8", "utf-8"),
        ("iso-8859-9", "ığ", "cp1254", "windows-1254"),
    ],
)
def test_a_label_means_what_browsers_mean_by_it(label: str, text: str, written: str, name: str) -> None:
    assert decode(text.encode(written), label) == Decoded(text, name)


@pytest.mark.parametrize(
    ("mark", "written", "name"),
    [
        (codecs.BOM_UTF8, "utf-8", "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le", "utf-16le"),
        (codecs.BOM_UTF16_BE, "utf-16-be", "utf-16be"),
        (codecs.BOM_UTF32_LE, "utf-32-le", "utf-32le"),
        (codecs.BOM_UTF32_BE, "utf-32-be", "utf-32be"),
    ],
)
def test_a_byte_order_mark_is_stronger_than_any_label(mark: bytes, written: str, name: str) -> None:
    assert decode(mark + "Zoë".encode(written), "windows-1251") == Decoded("Zoë", name)


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ('<meta charset="windows-1251">', "windows-1251"),
        ("<meta charset=windows-1251 />", "windows-1251"),
        ('<META HTTP-EQUIV="Content-Type" CONTENT="text/html; charset=windows-1251">', "windows-1251"),
        ('<?xml version="1.0" encoding="windows-1251"?>', "windows-1251"),
        ('<!-- <meta charset="shift_jis"> --><meta charset="windows-1251">', "windows-1251"),
    ],
)
def test_a_page_may_name_its_encoding_itself(head: str, name: str) -> None:
    text = f"{head}Цены"
    assert decode(text.encode("cp1251"), markup=True) == Decoded(text, name)


def test_the_encoding_of_the_server_overrides_that_of_the_page() -> None:
    text = '<meta charset="windows-1251">Zoë'
    assert decode(text.encode(), "utf-8", markup=True).text == text


def test_a_page_that_calls_itself_utf16_is_read_as_utf8_since_that_can_be_read() -> None:
    text = '<meta charset="utf-16">Zoë'
    assert decode(text.encode(), markup=True) == Decoded(text, "utf-8")


@pytest.mark.parametrize("label", [None, "no-such-charset", "iso-2022-kr"])
def test_without_a_label_that_is_known_valid_utf8_is_utf8(label: str | None) -> None:
    assert decode("Zoë €".encode(), label) == Decoded("Zoë €", "utf-8")


@pytest.mark.parametrize(
    ("text", "written", "name"),
    [
        ("Zoë", "cp1252", "windows-1252"),
        (GERMAN, "latin-1", "windows-1252"),
        ("El año que viene", "cp1252", "windows-1252"),
        ("Blåbærgrød på øen", "cp1252", "windows-1252"),
        ("<p>Straße, 10 €</p>", "utf-16-le", "utf-16le"),
        ("<p>Straße, 10 €</p>", "utf-16-be", "utf-16be"),
        (RUSSIAN, "cp1251", "windows-1251"),
        (RUSSIAN, "koi8-r", "koi8-r"),
        ("こんにちは世界。これは日本語の文章です。", "cp932", "shift_jis"),
        ("こんにちは世界。これは日本語の文章です。", "euc-jp", "euc-jp"),
        ("你好世界。这是关于太阳能价格的中文文章。今天的天气很好。", "gbk", "gb18030"),
        ("안녕하세요 세계. 이것은 태양광 가격에 관한 한국어 글입니다.", "cp949", "euc-kr"),
    ],
)
def test_without_a_declared_encoding_it_is_guessed(text: str, written: str, name: str) -> None:
    assert decode(text.encode(written)) == Decoded(text, name)


def test_the_beginning_of_a_text_may_end_within_a_character() -> None:
    assert decode("a€".encode()[:-1], whole=False) == Decoded("a", "utf-8")
    assert decode("日本語".encode("cp932")[:-1], "shift_jis", whole=False) == Decoded("日本", "shift_jis")


@pytest.mark.parametrize("data", [b"\x00\x01", b"PK\x03\x04", b"a\x00b\x00", b"\x01\x00\x00\x00" * 99])
def test_bytes_that_no_text_has_are_binary(data: bytes) -> None:
    assert is_binary(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a\tb\r\n\x0c",
        b"\x1b[31mred\x1b[0m",
        "Zoë".encode("latin-1"),
        codecs.BOM_UTF16_LE + b"a\x00",
        "Zoë 10 €".encode("utf-16-be"),
    ],
)
def test_text_in_any_encoding_is_not_binary(data: bytes) -> None:
    assert not is_binary(data)
