"""How much of everything a goal run may take."""

from __future__ import annotations

from dataclasses import dataclass

MAX_CALLS = 32
"""Tool calls of one turn that are made; the model is told to repeat the others."""
SHORT_CHARS = 500
"""Of a text in an older turn that is shown shortened."""
LEAST_CHARS = 200
"""Of a text, however many there are."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of goal runs, and what is used where a goal does not say."""

    concurrent: int = 3
    """Runs in progress at once."""
    context_chars: int = 200_000
    """Of the conversation that a model is shown, the system prompt aside."""
    temperature: float = 0.7
    max_tokens: int = 10_000

    @property
    def text_chars(self) -> int:
        """Of one text of a turn that is shown in full."""
        return max(LEAST_CHARS, self.context_chars // 4)

    @property
    def turn_chars(self) -> int:
        """Of all texts of such a turn."""
        return self.context_chars // 2

    @property
    def memory_chars(self) -> int:
        """Of the working memory in the system prompt."""
        return max(LEAST_CHARS, self.context_chars // 10)
