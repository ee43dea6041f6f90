"""Makes text safe for terminals: redacts secrets, escapes what a terminal or its encoding cannot show."""

from __future__ import annotations

import codecs
import io
import re
import sys

_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""Characters that control a terminal or change the direction of text, except tab and line feed."""
_ERRORS = "json-escapes"


def printable(text: str) -> str:
    r"""Escape control characters as in JSON, such as `\u001b`, and redact secrets. JSON stays valid JSON."""
    from contracts.settings.redactor import SECRETS  # noqa: PLC0415  `--help` must not load contracts

    return _CONTROLS.sub(lambda found: _escaped(found[0]), SECRETS.text(text))


def _escaped(text: str) -> str:
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


def _encode_as_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return _escaped(error.object[error.start : error.end]), error.end


def accept_every_character() -> None:
    """Make standard output and error escape characters that their encoding lacks, instead of failing."""
    codecs.register_error(_ERRORS, _encode_as_json)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ERRORS)


def is_unicode(text: str) -> bool:
    """Whether `text` was decoded from valid UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def show_error(message: str) -> None:
    """Print an error message to standard error."""
    print(printable(f"async-agent: {message}"), file=sys.stderr)
