"""Limits of goal runs."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CALLS = 32
"""Maximum tool calls of one turn. Further calls are refused; the model can repeat them."""
SHORT_CHARS = 500
"""Maximum characters of a text in an older turn."""
LEAST_CHARS = 200
"""A text of a turn is never cut below this many characters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of goal runs, and default parameters."""

    concurrent: int = 3
    """Maximum number of runs in progress."""
    context_chars: int = 200_000
    """Maximum characters of the conversation, without the system prompt."""
    temperature: float = 0.7
    max_tokens: int = 10_000

    @property
    def text_chars(self) -> int:
        """Maximum characters of one text in a turn that is shown in full."""
        return max(LEAST_CHARS, self.context_chars // 4)

    @property
    def turn_chars(self) -> int:
        """Maximum characters of a turn that is shown in full."""
        return self.context_chars // 2

    @property
    def memory_chars(self) -> int:
        """Maximum characters of the working memory in the system prompt."""
        return max(LEAST_CHARS, self.context_chars // 10)
