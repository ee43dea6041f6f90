"""Exceptions that handlers and tools raise on purpose when work fails. Any other exception is a bug."""

from __future__ import annotations

from datetime import timedelta

from contracts.core.event import Json
from contracts.core.spent import Spent


class Retry(Exception):
    """The work failed and may succeed later: a network error, a timeout, HTTP 429 or 5xx."""

    def __init__(self, reason: str, *, after: float | None = None, spent: Spent | None = None) -> None:
        super().__init__(reason)
        self.after = after
        """Minimum seconds to wait, if the server sent `Retry-After`; None otherwise."""
        self.spent = spent
        """Cost of the failed attempt."""


class Reject(Exception):
    """The work cannot succeed without a change: invalid parameters, a refusal, a missing resource."""

    def __init__(self, reason: str, *, spent: Spent | None = None) -> None:
        super().__init__(reason)
        self.spent = spent


class Ask(Exception):
    """The work needs the answer of a person. It is done again when there is one."""

    def __init__(
        self, question: str, *, schema: dict[str, Json] | None = None, expires_in: timedelta | None = None
    ) -> None:
        super().__init__(question)
        self.schema = schema
        """JSON Schema of the answer; None: any answer."""
        self.expires_in = expires_in
        """When the question expires; None: never."""


class LeaseLost(Exception):
    """Another process may own this message now: do not acknowledge it."""
