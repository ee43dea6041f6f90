"""How a request to the API fails, and whether to ask again."""

from __future__ import annotations

import time
from collections.abc import Container
from http import HTTPStatus

from contracts.core.event import Json

FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 2.0
PASSING = frozenset(
    {
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
        HTTPStatus.TOO_MANY_REQUESTS,
    }
)
"""Answers that may be others a moment later."""


class ClientError(Exception):
    """A request came to nothing."""


class Unreachable(ClientError):
    """Nothing answers at the address."""


class Refused(ClientError):
    """The server says no; the message is the server's own."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(_reason(status, body))
        self.status = status
        self.body = body


class Misunderstood(ClientError):
    """The server is of another version, or something else than an Async Agent."""


class ClarificationRequired(ClientError):
    """The goal cannot be planned before somebody answers the question, which is the message."""

    def __init__(self, dag_id: str | None, question: str) -> None:
        super().__init__(question)
        self.dag_id = dag_id


class Patience:
    """Bears failures that may pass, for `limit_s` seconds from the last success on."""

    def __init__(self, limit_s: float, passing: Container[int] = PASSING) -> None:
        self._limit_s = limit_s
        self._passing = passing
        self.renew()

    def renew(self) -> None:
        """It worked."""
        self._until = time.monotonic() + self._limit_s
        self._next_pause = FIRST_PAUSE_S

    def bear(self, error: ClientError) -> None:
        """Raises `error` when it will not pass, or has not for too long."""
        passes = isinstance(error, Unreachable) or (
            isinstance(error, Refused) and error.status in self._passing
        )
        if not passes or time.monotonic() > self._until:
            raise error

    def pause(self) -> float:
        """Seconds to wait before asking again: doubling, bounded."""
        pause = self._next_pause
        self._next_pause = min(pause * 2, LONGEST_PAUSE_S)
        return pause


def _reason(status: int, body: Json) -> str:
    """The server's own words: `message` where `error` is only the name of the status."""
    said = body if isinstance(body, dict) else {}
    text = str(said.get("message") or said.get("error") or HTTPStatus(status).phrase)
    issues = [
        f"{'.'.join(map(str, one['path']))}: {one['message']}" for one in said.get("validation_errors", [])
    ]
    return "; ".join([text, *issues])
