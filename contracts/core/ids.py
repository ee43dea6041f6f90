"""Identifiers: time-ordered, safe in a NATS subject, opaque to clients."""

from __future__ import annotations

import hashlib
import re

from uuid_utils import uuid7

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as the number does
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class InvalidId(ValueError):
    """An id is 1 to 64 characters of A-Z, a-z, 0-9, '_' and '-'."""


def new_id(prefix: str = "") -> str:
    """`prefix` + 26 characters; ids made later on one machine sort later."""
    return prefix + _base32(uuid7().int, 26)


def unique() -> str:
    """32 hexadecimal digits that nobody else has; cheaper than `new_id`, for what only machines read."""
    return uuid7().hex


def derived_id(prefix: str, *parts: str) -> str:
    """The same id for the same parts, for ever: whoever asks first creates, everyone else conflicts."""
    digest = hashlib.sha256("\x1f".join(parts).encode()).digest()
    return prefix + _base32(int.from_bytes(digest[:16], "big"), 26)


def is_id(text: str) -> bool:
    """Whether `text` may stand as one token of a subject."""
    return _ID.fullmatch(text) is not None


def require_id(text: str) -> str:
    """`text` itself.

    Raises:
        InvalidId: it could not be one token of a subject.
    """
    if not is_id(text):
        raise InvalidId(f"{text[:80]!r} is no id: use 1 to 64 of A-Z a-z 0-9 _ -")
    return text


def _base32(number: int, width: int) -> str:
    digits = []
    for _ in range(width):
        number, digit = divmod(number, 32)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))
