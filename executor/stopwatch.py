"""Measures durations."""

from __future__ import annotations

import time


def ms_since(begun: float) -> int:
    """Whole milliseconds since `begun`, a reading of `time.perf_counter()`."""
    return round((time.perf_counter() - begun) * 1000)
