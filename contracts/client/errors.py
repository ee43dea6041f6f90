"""Errors of requests, and when to retry."""

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
"""Statuses of temporary errors."""


class ClientError(Exception):
    """A request failed."""


class EmptyArgument(ClientError, ValueError):
    """An id or a name is empty. Nothing was sent."""


class Unreachable(ClientError):
    """No server answers at the address."""


class Refused(ClientError):
    """The server refused the request. The message is the server's."""

    def __init__(self, status: int, body: Json) -> None:
        super().__init__(_reason(status, body))
        self.status = status
        self.body = body


class InvalidAnswer(ClientError):
    """The answer is not valid: the server has another version, or is not an Async Agent."""


class ClarificationRequired(ClientError):
    """The goal needs a clarification before it can be planned. The message is the question."""

    def __init__(self, dag_id: str | None, question: str) -> None:
        super().__init__(question)
        self.dag_id = dag_id


class RetryLimit:
    """Allows retries of temporary errors until `limit_s` seconds after the last success."""

    def __init__(self, limit_s: float, passing: Container[int] = PASSING) -> None:
        self._limit_s = limit_s
        self._passing = passing
        self.renew()

    def renew(self) -> None:
        """Restart the time limit after a successful request."""
        self._until = time.monotonic() + self._limit_s
        self._next_pause = FIRST_PAUSE_S

    def raise_unless_temporary(self, error: ClientError) -> None:
        """Raise `error` if it is permanent or the time limit has passed."""
        passes = isinstance(error, Unreachable) or (
            isinstance(error, Refused) and error.status in self._passing
        )
        if not passes or time.monotonic() > self._until:
            raise error

    def pause(self) -> float:
        """Return the seconds to wait before the next try. They double up to LONGEST_PAUSE_S."""
        pause = self._next_pause
        self._next_pause = min(pause * 2, LONGEST_PAUSE_S)
        return pause


def _reason(status: int, body: Json) -> str:
    """Return the server's error text: `message` if `error` is only the name of the status."""
    said = body if isinstance(body, dict) else {}
    text = str(said.get("message") or said.get("error") or HTTPStatus(status).phrase)
    details = said.get("details")
    reason = [details] if isinstance(details, str) else []
    listed = said.get("validation_errors") or (details if isinstance(details, list) else [])
    issues = [
        f"{'.'.join(map(str, one['path']))}: {one['message']}"
        for one in listed
        if {"path", "message"} <= set(one)
    ]
    return "; ".join([text, *reason, *issues])
