"""How long to wait before a retry: exponential back-off and `Retry-After`. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""Maximum seconds that `Retry-After` is honoured. A server may repeat it in the next answer."""
MOST_DOUBLINGS = 64
"""Limit of the exponent. More doublings exceed every limit anyway, and 1024 overflow a float."""


def doubled(first_s: float, times: int, longest_s: float) -> float:
    """Seconds to wait: `first_s` doubled `times` times, at most `longest_s`."""
    return min(first_s * 2.0 ** min(times, MOST_DOUBLINGS), longest_s)


def bounded(asked_s: float | None, longest_s: float = LONGEST_S) -> float:
    """`asked_s`, at most `longest_s`. 0 if it is None, negative or not finite."""
    if asked_s is None or not math.isfinite(asked_s) or asked_s < 0:
        return 0.0
    return min(asked_s, longest_s)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds in a `Retry-After` header, a number or an HTTP date. None if it is missing or invalid.

    The result is bounded to LONGEST_S, because the header is untrusted input.
    """
    said = (header or "").strip()
    if said.replace(".", "", 1).isdecimal():
        return bounded(float(said))
    try:
        date = parsedate_to_datetime(said)
    except (ValueError, OverflowError):
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    return bounded(max(0.0, (aware - now).total_seconds()))
