"""Text from bytes as browsers read it, by the Encoding Standard (https://encoding.spec.whatwg.org). Pure.

A byte order mark decides, then a label (of HTTP, or of the page itself), then UTF-8 if the bytes are valid
UTF-8. Otherwise the encoding is guessed from the bytes, and windows-1252 is the last resort.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

import cchardet
import webencodings

_WINDOWS_1252 = webencodings.Encoding("windows-1252", codecs.lookup("cp1252"))
"""The last resort."""
_BOMS = (
    (codecs.BOM_UTF8, webencodings.UTF8),
    (codecs.BOM_UTF16_BE, webencodings.Encoding("utf-16be", codecs.lookup("utf-16-be"))),
    (codecs.BOM_UTF16_LE, webencodings.Encoding("utf-16le", codecs.lookup("utf-16-le"))),
)
_HEAD = 4096
"""Bytes of a page in which its own label is looked for."""
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_LABEL = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?\s*([^\s"'/>;]+)""", re.IGNORECASE)
_XML_LABEL = re.compile(rb"""^\s*<\?xml\s[^>]*?encoding\s*=\s*["']([^"']+)""")
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f]")
"""Bytes that no text has, by the MIME Sniffing Standard."""
_SNIFFED = 1445
"""Bytes of a file that tell whether it is text, by the same standard: further on, stray ones do no harm."""
_GUESSED_FROM = 1024 * 1024
_SURE = 0.6
"""Least confidence of a guess; those of short texts in Latin letters are below."""
_UNREADABLE = "replacement"
"""By which the standard decodes nothing, because its labels are of encodings that were used in attacks."""
_SUPERSETS = {"gbk": "gb18030"}
"""What the standard decodes by a larger encoding than Python's of that name."""
_LABELS_OF_GUESSES = {"UHC": "euc-kr", "CP949": "euc-kr"}


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, and the encoding that it was in, by its name in the Encoding Standard."""

    text: str
    encoding: str


def decode(data: bytes, label: str | None = None, *, markup: bool = False, whole: bool = True) -> Decoded:
    """The text in `data`; bytes that do not belong to it become U+FFFD.

    `label`: what the sender says; labels that the standard does not know are ignored. `markup`: HTML or XML,
    which may name its encoding itself. `whole`: False if `data` is the beginning of something longer, and may
    end in the middle of a character.
    """
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return _decoded(data[len(mark) :], encoding, whole=whole)
    said = _known(label) or (_known(_own_label(data)) if markup else None)
    return _decoded(data, said or _guessed(data, whole=whole), whole=whole)


def is_binary(data: bytes) -> bool:
    """Whether these bytes are not text; text in UTF-16 is only known by its byte order mark."""
    if any(data.startswith(mark) for mark, _ in _BOMS):
        return False
    return _BINARY.search(data, 0, _SNIFFED) is not None


def _own_label(data: bytes) -> str | None:
    """What a page says of itself. It cannot be UTF-16 if its label can be read as ASCII."""
    head = _COMMENT.sub(b"", data[:_HEAD])
    found = _XML_LABEL.search(head) or _LABEL.search(head)
    label = found[1].decode("ascii", "replace") if found else None
    return "utf-8" if label and label.lower().startswith("utf-16") else label


def _known(label: str | None) -> webencodings.Encoding | None:
    encoding = webencodings.lookup(label) if label else None
    return encoding if encoding and encoding.name != _UNREADABLE else None


def _guessed(data: bytes, *, whole: bool) -> webencodings.Encoding:
    if _fits(data, webencodings.UTF8, whole=whole):
        return webencodings.UTF8
    guess = cchardet.detect(data[:_GUESSED_FROM])
    name = guess["encoding"] or ""
    encoding = webencodings.lookup(_LABELS_OF_GUESSES.get(name, name))
    if encoding and (guess["confidence"] or 0) >= _SURE and _fits(data, encoding, whole=whole):
        return encoding
    return _WINDOWS_1252


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
