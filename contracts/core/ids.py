"""Identifiers: time-ordered, safe in a NATS subject, opaque to clients."""

from __future__ import annotations

import hashlib
import re

from uuid_utils import uuid7

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: the text sorts like the number
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class InvalidId(ValueError):
    """An id is 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'."""


def new_id(prefix: str = "") -> str:
    """A new id: `prefix` and 26 characters. On one machine, later ids sort after earlier ids."""
    return prefix + _base32(uuid7().int, 26)


def unique() -> str:
    """A unique id of 32 hexadecimal digits. Faster than `new_id`; for ids that people do not read."""
    return uuid7().hex


def derived_id(prefix: str, *parts: str) -> str:
    """The id that `parts` determine. The same parts always produce the same id.

    If several processes create an aggregate with this id, the first succeeds and the others get a Conflict.
    """
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return prefix + _base32(int.from_bytes(digest[:16], "big"), 26)


def is_id(text: str) -> bool:
    """Whether `text` is a valid id, which can be one token of a NATS subject."""
    return _ID.fullmatch(text) is not None


def require_id(text: str) -> str:
    """Return `text` if it is a valid id.

    Raises:
        InvalidId: it is not a valid id.
    """
    if not is_id(text):
        raise InvalidId(f"{text[:80]!r} is not a valid id: use 1 to 64 characters of A-Z a-z 0-9 _ -")
    return text


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
