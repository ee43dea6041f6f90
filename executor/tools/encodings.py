"""Decodes text as browsers do, by the Encoding Standard (https://encoding.spec.whatwg.org). Pure.

The encoding is, in this order: that of the byte order mark; that of the label in the HTTP header or the page;
UTF-16, if nearly every other byte is zero; UTF-8, if the bytes are valid UTF-8; a guess from the bytes;
windows-1252. The standard does not have UTF-32; files with its byte order mark are read here.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import cchardet
import webencodings

_WINDOWS_1252 = webencodings.Encoding("windows-1252", codecs.lookup("cp1252"))
"""The default encoding."""
_UTF16_BE = webencodings.Encoding("utf-16be", codecs.lookup("utf-16-be"))
_UTF16_LE = webencodings.Encoding("utf-16le", codecs.lookup("utf-16-le"))
_BOMS = (
    (codecs.BOM_UTF32_BE, webencodings.Encoding("utf-32be", codecs.lookup("utf-32-be"))),
    (codecs.BOM_UTF32_LE, webencodings.Encoding("utf-32le", codecs.lookup("utf-32-le"))),
    (codecs.BOM_UTF8, webencodings.UTF8),
    (codecs.BOM_UTF16_BE, _UTF16_BE),
    (codecs.BOM_UTF16_LE, _UTF16_LE),
)
_UTF16_SHORTEST = 8
"""Bytes from which on zeros count as UTF-16; shorter files may have a few zeros by chance."""
_UTF16_ZEROS = 0.7
"""Minimum share of zeros among the high bytes of UTF-16. For Latin letters they are zero."""
_HEAD = 4096
"""Bytes at the beginning of a page that are searched for a label."""
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_LABEL = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)""", re.IGNORECASE)
_XML_LABEL = re.compile(rb"""^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)""")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that do not occur in text, by the MIME Sniffing Standard."""
_SNIFFED = 1445
"""Bytes at the beginning of a file that decide whether it is text, by the same standard."""
_FEW = 8
_NOISE = 0.04
"""Minimum share of bytes that do not occur in text; of compressed data it is 0.1."""
_GUESSED_FROM = 1024 * 1024
_SURE = 0.6
"""Minimum confidence of a guess. Guesses for short texts in Latin letters are below it."""
_UNREADABLE = "replacement"
"""The encoding of the standard for labels that were used in attacks. It decodes nothing."""
_SUPERSETS = {"gbk": "gb18030"}
"""Encodings for which the standard uses a larger encoding than Python does."""
_NEVER_GUESSED = frozenset(f"iso-8859-{part}" for part in (3, 4, 10, 14, 15, 16))
"""Guesses that count as windows-1252: pages in these encodings are rare, wrong guesses frequent."""
_LABELS_OF_GUESSES = {"UHC": "euc-kr", "CP949": "euc-kr"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text and its encoding, by the name in the Encoding Standard."""

    text: str
    encoding: str


def decode(data: bytes, label: str | None = None, *, markup: bool = False, whole: bool = True) -> Decoded:
    """The text in `data`; invalid bytes become U+FFFD.

    `label`: the encoding that the sender declares; unknown labels are ignored. `markup`: whether `data` is
    HTML or XML, which may declare its encoding. `whole`: False if `data` is only the beginning and may end in
    the middle of a character.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, whole=whole)
    said = _known(label) or (_known(_own_label(data)) if markup else None)
    return _decoded(data, said or _guessed(data, whole=whole), whole=whole)


def is_binary(data: bytes) -> bool:
    """Whether `data` is not text. UTF-16 without a byte order mark is recognised only in Latin letters."""
    if any(data.startswith(mark) for mark, _ in _BOMS) or _utf16(data):
        return False
    return _BINARY.search(data, 0, _SNIFFED) is not None


def is_noise(data: bytes) -> bool:
    """Whether so many bytes do not occur in text that `data` is none, whatever its sender says.

    A few stray ones occur in text, and many backspaces in the output of programs.
    """
    head = data[:_SNIFFED]
    found = sum(byte != b"\x08" for byte in _BINARY.findall(head))
    return is_binary(data) and found >= max(_FEW, _NOISE * len(head))


def _own_label(data: bytes) -> str | None:
    """The label in a page. The label UTF-16 is read as UTF-8, because UTF-16 is not readable as ASCII."""
    head = _COMMENT.sub(b"", data[:_HEAD])
    found = _XML_LABEL.search(head) or _LABEL.search(head)
    label = found[1].decode("ascii", "replace") if found else None
    return "utf-8" if label and label.lower().startswith("utf-16") else label


def _known(label: str | None) -> webencodings.Encoding | None:
    encoding = webencodings.lookup(label) if label else None
    return encoding if encoding and encoding.name != _UNREADABLE else None


def _guessed(data: bytes, *, whole: bool) -> webencodings.Encoding:
    if utf16 := _utf16(data):
        return utf16
    if _fits(data, webencodings.UTF8, whole=whole):
        return webencodings.UTF8
    guess = cchardet.detect(data[:_GUESSED_FROM])
    name = guess["encoding"] or ""
    encoding = webencodings.lookup(_LABELS_OF_GUESSES.get(name, name))
    if encoding is None or encoding.name in _NEVER_GUESSED or (guess["confidence"] or 0) < _SURE:
        return _WINDOWS_1252
    return encoding if _fits(data, encoding, whole=whole) else _WINDOWS_1252


def _utf16(data: bytes) -> webencodings.Encoding | None:
    """The kind of UTF-16 whose high bytes are zero at the beginning of `data`; None: neither."""
    even, odd = data[:_SNIFFED:2], data[1:_SNIFFED:2]
    if len(data) < _UTF16_SHORTEST:
        return None
    if 0 not in even and odd.count(0) >= _UTF16_ZEROS * len(odd):
        return _UTF16_LE
    if 0 not in odd and even.count(0) >= _UTF16_ZEROS * len(even):
        return _UTF16_BE
    return None


def _fits(data: bytes, encoding: webencodings.Encoding, *, whole: bool) -> bool:
    try:
        _codec(encoding).incrementaldecoder().decode(data, whole)
    except UnicodeDecodeError:
        return False
    return True


def _decoded(data: bytes, encoding: webencodings.Encoding, *, whole: bool) -> Decoded:
    text = _codec(encoding).incrementaldecoder("replace").decode(data, whole)
    return Decoded(text, encoding.name)


def _codec(encoding: webencodings.Encoding) -> codecs.CodecInfo:
    larger = _SUPERSETS.get(encoding.name)
    return codecs.lookup(larger) if larger else encoding.codec_info
