"""How long to wait before another try: by our own back-off, and as long as the other side asks. Pure."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 3600.0
"""However long somebody asks to be left alone: then he is asked again, and may say so again."""
MOST_DOUBLINGS = 64
"""More make no difference to any limit, and a float does not hold a thousand of them."""


def doubled(first_s: float, times: int, longest_s: float) -> float:
    """Seconds: `first_s`, doubled that many times, and never more than `longest_s`."""
    return min(first_s * 2.0 ** min(times, MOST_DOUBLINGS), longest_s)


def bounded(asked_s: float | None, longest_s: float = LONGEST_S) -> float:
    """`asked_s` as far as it is a time one can wait: at most `longest_s`, and 0 for what is none."""
    if asked_s is None or not math.isfinite(asked_s) or asked_s < 0:
        return 0.0
    return min(asked_s, longest_s)


def retry_after(header: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` asks for, as a number or as an HTTP date; None when it asks for none.

    What it says comes from outside, so it is bounded here, where it is read.
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
