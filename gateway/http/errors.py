"""Errors, and their conversion to answers."""

from __future__ import annotations

import math
from http import HTTPStatus

from aiohttp import web

from contracts.core.aggregate import DomainError
from contracts.core.codec import Undecodable
from contracts.core.event import Json
from contracts.core.ids import InvalidId
from contracts.core.text import clean_json, clean_text
from contracts.core.unread import UnreadHistory
from contracts.domain import agent, dag, goal, key, run, shared_budget
from contracts.runtime.blobs import BlobLost
from contracts.runtime.log import MAX_MESSAGE_BYTES, Conflict, TooLarge, Unavailable
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.stream import TooManyConflicts
from gateway.http.replies import json_reply
from gateway.views.reader import ViewsUnavailable

RETRY_AFTER_S = 1
"""Value of `Retry-After`, in seconds, for temporary errors."""

INVALID_BODY = "Invalid input parameters"
"""Error text of an answer with validation issues of a body."""
BODY_TOO_LARGE = "FST_ERR_CTP_BODY_TOO_LARGE"
WRONG_MEDIA_TYPE = "FST_ERR_CTP_INVALID_MEDIA_TYPE"

TOO_LONG = (
    f"The texts in this request are too long to be kept: send less than {MAX_MESSAGE_BYTES // 1024} KiB"
)

WRONGLY_ENCODED = (
    "The body is not encoded as Content-Encoding or Transfer-Encoding says: encode it so, "
    "or leave that header out"
)

REASONS = {413: "Payload Too Large"}
"""Names of statuses whose name in the standard library depends on Python's version."""

STATUS: dict[type[Exception], int] = {
    DomainError: 400,
    agent.UnknownAgent: 404,
    agent.AgentExists: 409,
    agent.NameTaken: 409,
    agent.AgentActive: 400,
    dag.UnknownDag: 404,
    dag.NoClarificationPending: 409,
    key.InvalidKey: 401,
    key.UnknownKey: 404,
    key.ExpiresInPast: 400,
    key.KeyExists: 409,
    key.KeyRevoked: 409,
    goal.UnknownGoal: 404,
    goal.UnknownSchedule: 404,
    run.UnknownRun: 404,
    run.CannotResume: 400,
    run.AlreadyFinished: 409,
    run.UnknownAsk: 404,
    run.AskClosed: 409,
    run.InvalidAnswer: 400,
    run.InvalidFork: 400,
    run.BudgetRefused: 409,
    shared_budget.LimitReached: 402,
    InvalidId: 400,
    TooLarge: 413,
    BlobLost: 500,
    Undecodable: 500,
    UnreadHistory: 503,
    Unavailable: 503,
    NoAnswer: 503,
    TooManyConflicts: 503,
    Conflict: 503,
    ViewsUnavailable: 503,
}
"""The HTTP status of each expected error. Temporary ones are 503."""


class Refusal(Exception):
    """An error answer: `{"error": …}` and further keys."""

    def __init__(
        self, status: int, error: str, /, *, retry_after: float | None = None, **extra: Json
    ) -> None:
        super().__init__(error)
        self.status = status
        self.body: dict[str, Json] = {"error": error, **extra}
        self.headers = {} if retry_after is None else {"Retry-After": str(math.ceil(retry_after))}

    def reply(self) -> web.Response:
        """Return the error as an answer. Headers that it repeats may not be UTF-8."""
        return json_reply(clean_json(self.body), self.status, self.headers)


class CertainRefusal(Refusal):
    """A refusal that does not depend on the views, so waiting for them cannot change it."""


class FrameworkRefusal(Refusal):
    """An error before a handler is called: `{"statusCode", "error": <reason>, "message", "code"?}`."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        reason = REASONS.get(status) or HTTPStatus(status).phrase
        super().__init__(status, reason, statusCode=status, message=message)
        if code:
            self.body["code"] = code


def refusal_of(error: Exception, request: web.Request) -> Refusal | None:
    """Return the answer for `error`, or None if it is unexpected."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, web.HTTPException):
        return of_http(error, request)
    if isinstance(error, web.RequestPayloadError):
        return FrameworkRefusal(400, WRONGLY_ENCODED)
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), None)
    if status is None:
        return None
    text = TOO_LONG if isinstance(error, TooLarge) else str(error) or type(error).__doc__ or ""
    if status == 503:
        return Refusal(status, f"{text}; try again in a moment", retry_after=RETRY_AFTER_S)
    return Refusal(status, text)


def internal_error(request_id: str) -> Refusal:
    """Return the answer for an unexpected error. The request id leads to the cause in the server's log."""
    message = f"Unexpected error; the server's log has the cause under request id {request_id}"
    return FrameworkRefusal(500, message)


def of_http(error: web.HTTPException, request: web.BaseRequest) -> Refusal:
    """Return the answer for an error of aiohttp."""
    match error:
        case web.HTTPRequestEntityTooLarge():
            return FrameworkRefusal(413, "Request body is too large: send at most 1 MiB", BODY_TOO_LARGE)
        case web.HTTPExpectationFailed():
            return FrameworkRefusal(417, f"{error.text}: send 100-continue, or leave that header out")
        case web.HTTPNotFound() | web.HTTPMethodNotAllowed():
            return FrameworkRefusal(404, f"Route {request.method}:{clean_text(request.raw_path)} not found")
        case _:
            return FrameworkRefusal(error.status, error.text or error.reason)
