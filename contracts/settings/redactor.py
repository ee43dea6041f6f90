"""Replaces secrets in texts and in JSON by REDACTED, also if they are encoded.

A secret is found as it is, escaped as in JSON (once or twice) or by Python, percent-encoded, and in base64
at any offset. Secrets shorter than MIN_LENGTH are not replaced, because they occur in texts by chance.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus, unquote

from ahocorasick_rs import BytesAhoCorasick, MatchKind

REDACTED = "[redacted]"
MIN_LENGTH = 10
"""Minimum number of characters of a secret that is replaced."""


class Redactor:
    """A set of secrets. `text` and `json` replace them."""

    def __init__(self) -> None:
        self.too_short: set[str] = set()
        """Names of the settings whose values are too short to be replaced."""
        self._plain = _Matcher({})
        self._escaped = _Matcher({})

    def learn(self, name: str, secret: str) -> None:
        """Replace `secret`, the value of the setting `name`, from now on. Each of its lines is a secret."""
        for one in {secret.strip(), *map(str.strip, secret.splitlines())} - {""}:
            if len(one) < MIN_LENGTH:
                self.too_short.add(name)
            else:
                self._add(one, REDACTED)

    def learn_userinfo(self, name: str, userinfo: str) -> None:
        """Replace the userinfo of a URL, `user:password` or a token, from now on.

        Inside a URL it is replaced whatever its length.
        """
        self._add(f"//{userinfo}@", f"//{REDACTED}@")
        user, _, password = userinfo.partition(":")
        self.learn(name, unquote(password or user))

    def text(self, text: str) -> str:
        """Return `text` without secrets."""
        return self._plain.replaced(_bytes(text)).decode("utf-8", "surrogatepass")

    def json(self, data: bytes) -> bytes:
        """Return a JSON document without secrets. It stays valid JSON."""
        return self._escaped.replaced(data)

    def _add(self, secret: str, replacement: str) -> None:
        escaped = dict.fromkeys(_encoded(secret), replacement.encode())
        plain = {_bytes(one): replacement.encode() for one in (secret, _shown(secret))}
        self._escaped = self._escaped.extended(escaped)
        self._plain = self._plain.extended(escaped | plain)


class _Matcher:
    """Replaces byte strings by others, in one pass."""

    def __init__(self, replacements: Mapping[bytes, bytes]) -> None:
        self._replacements = dict(replacements)
        self._found = list(self._replacements)
        self._automaton = (
            BytesAhoCorasick(self._found, matchkind=MatchKind.LeftmostLongest) if self._found else None
        )

    def extended(self, replacements: Mapping[bytes, bytes]) -> _Matcher:
        if replacements.keys() <= self._replacements.keys():
            return self
        return _Matcher({**self._replacements, **replacements})

    def replaced(self, data: bytes) -> bytes:
        matches = self._automaton.find_matches_as_indexes(data) if self._automaton else []
        if not matches:
            return data
        parts, position = [], 0
        for pattern, start, end in matches:
            parts += [data[position:start], self._replacements[self._found[pattern]]]
            position = end
        return b"".join([*parts, data[position:]])


def _encoded(secret: str) -> Iterator[bytes]:
    """The encodings of a secret that may occur inside a JSON string."""
    for escape in (_escaped, _escaped_to_ascii):
        for once in (escape(secret), escape(_shown(secret))):
            yield _bytes(once)
            yield _bytes(escape(once))
    raw = _bytes(secret)
    for written in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield written.encode()
        yield _with_lower_case_escapes(written).encode()
    for offset in range(3):
        for encode in (b64encode, urlsafe_b64encode):
            yield _base64_core(encode(bytes(offset) + raw), offset, len(raw))


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _shown(text: str) -> str:
    """The text as in Python's error messages."""
    return repr(text)[1:-1]


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _escaped_to_ascii(text: str) -> str:
    return json.dumps(text)[1:-1]


def _with_lower_case_escapes(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def _base64_core(encoded: bytes, offset: int, length: int) -> bytes:
    """The characters of `encoded` that depend on the secret only, not on the bytes around it."""
    return encoded[-(-offset * 8 // 6) : (offset + length) * 8 // 6]


SECRETS = Redactor()
"""The secrets of this process: those of all settings that it has read."""
