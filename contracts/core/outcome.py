"""The ways work ends without being done. Everything else that is raised is a bug."""

from __future__ import annotations

from contracts.core.spent import Spent


class Retry(Exception):
    """It may succeed later: a network error, a timeout, 429, 5xx."""

    def __init__(self, reason: str, *, after: float | None = None, spent: Spent | None = None) -> None:
        super().__init__(reason)
        self.after = after
        """Seconds to wait at least, when the other side said so (Retry-After)."""
        self.spent = spent
        """What the failed attempt has cost."""


class Reject(Exception):
    """It will never succeed as it is: bad parameters, a refusal, something that does not exist."""

    def __init__(self, reason: str, *, spent: Spent | None = None) -> None:
        super().__init__(reason)
        self.spent = spent


class LeaseLost(Exception):
    """Somebody else has it now, and whoever has it settles it: an acknowledgement of ours would be theirs."""
