"""Differences of texts, within limits. This module does no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import unified_diff

from contracts.api.compare import ComparedResult

LONGEST_TEXT = 100_000
"""Maximum characters of a text that is compared line by line. Finding a difference takes quadratic time."""
MOST_LINES = 2000
"""Maximum lines of a text that is compared line by line."""
LONGEST_DIFF = 16_000
"""Maximum characters of one diff."""
LONGEST_ANSWER = 400_000
"""Maximum characters of all diffs of one answer."""


@dataclass(slots=True)
class Diffs:
    """The diffs of one answer. Later diffs are left out when the answer is long enough."""

    room: int = LONGEST_ANSWER

    def of(self, a: str | None, b: str | None) -> ComparedResult:
        """Compare two results; None: there is none."""
        if a is None or b is None:
            verdict = "none" if a is b else "only_b" if a is None else "only_a"
            return ComparedResult(verdict=verdict, diff=None, truncated=False)
        if a == b:
            return EQUAL
        diff = self._diff(a, b)
        if diff is None:
            return ComparedResult(verdict="different", diff=None, truncated=True)
        shown = diff[: min(LONGEST_DIFF, self.room)]
        self.room -= len(shown)
        return ComparedResult(verdict="different", diff=shown, truncated=len(shown) < len(diff))

    def _diff(self, a: str, b: str) -> str | None:
        """The unified diff, or None if there is no room or a text is too long."""
        if self.room <= 0 or max(len(a), len(b)) > LONGEST_TEXT:
            return None
        before, after = a.splitlines(), b.splitlines()
        if max(len(before), len(after)) > MOST_LINES:
            return None
        return "\n".join(unified_diff(before, after, "a", "b", lineterm=""))


EQUAL = ComparedResult(verdict="equal", diff=None, truncated=False)
