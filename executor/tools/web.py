"""HTTP helpers for tools: converts failures to Retry or Reject, and limits the size of bodies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http import HTTPStatus

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorError,
    ClientError,
    ClientPayloadError,
    ClientResponse,
    ClientResponseError,
    NonHttpUrlClientError,
    TooManyRedirects,
)
from aiohttp.http import HttpProcessingError

from contracts.core.event import Json
from contracts.core.foreign_json import MAX_DEPTH, depth, parse_json
from contracts.core.outcome import Reject, Retry
from contracts.core.waiting import retry_after
from executor.tools.guard import Blocked

_STANDARD_REASONS = {status.value: status.phrase for status in HTTPStatus}
_LONGEST_REASON = 200
"""Characters of a reason, which may quote what the server sent."""
_TRY_LATER = frozenset({408, 425, 429})


@contextmanager
def network_outcomes(url: str, timeout_s: float) -> Iterator[None]:
    """Convert exceptions of aiohttp to Retry or Reject.

    Raises:
        Retry: the network or the server failed, or did not answer within `timeout_s`.
        Reject: the guard blocked the address, or `url` or a redirect is invalid.
    """
    try:
        yield
    except TimeoutError as error:
        raise Retry(f"No answer from {url} within {timeout_s:g} s") from error
    except ClientConnectorCertificateError as error:
        raise Reject(f"The certificate of {url} is not valid: {error}") from error
    except ClientConnectorError as error:
        if isinstance(error.os_error, Blocked):
            raise Reject(error.os_error.why) from error
        raise Retry(f"Cannot reach {url}: {error}") from error
    except TooManyRedirects as error:
        raise Reject(f"Too many redirects from {url}") from error
    except (
        NonHttpUrlClientError,
        ValueError,
    ) as error:  # ValueError: bad URLs, host names that do not encode
        raise Reject(f"Cannot open {url}: {error}") from error
    except ClientError as error:
        raise Retry(f"The connection to {url} failed: {_reason(error)}") from error


def _reason(error: ClientError) -> str:
    """Why the connection failed, in one line. aiohttp gives invalid answers a status 400; it is left out."""
    cause = error.__cause__ if isinstance(error, ClientPayloadError) else error
    said = cause.message if isinstance(cause, ClientResponseError | HttpProcessingError) else str(error)
    return " ".join(said.split())[:_LONGEST_REASON]


def raise_for_retry(response: ClientResponse) -> None:
    """Raises Retry for a status that means a temporary failure."""
    if response.status in _TRY_LATER or response.status >= 500:
        asked = response.headers.get("Retry-After")
        raise Retry(status_line(response), after=retry_after(asked, datetime.now(UTC)))


def raise_for_status(response: ClientResponse) -> None:
    """Raises Retry or Reject unless the status is 2xx."""
    raise_for_retry(response)
    if not 200 <= response.status < 300:
        raise Reject(status_line(response))


def status_line(response: ClientResponse) -> str:
    """The status as text, such as `HTTP 404: Not Found`."""
    return f"HTTP {response.status}: {reason_of(response)}"


def reason_of(response: ClientResponse) -> str:
    """The reason phrase of the server, else the standard one."""
    return response.reason or _STANDARD_REASONS.get(response.status, "")


async def read_at_most(response: ClientResponse, limit: int) -> tuple[bytes, bool]:
    """The first `limit` bytes of the decompressed body, and whether there are more."""
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(64 * 1024):
        parts.append(part)
        size += len(part)
        if size > limit:
            return b"".join(parts)[:limit], True
    return b"".join(parts), False


async def read_answer(response: ClientResponse, limit: int) -> Json:
    """The body as JSON if it is JSON, else as text; of a body above `limit` bytes, the beginning as text."""
    body, more = await read_at_most(response, limit)
    if not more and (response.content_type == "application/json" or response.content_type.endswith("+json")):
        try:
            answer = parse_json(body)
            if depth(answer) < MAX_DEPTH:  # deeper JSON is returned as text
                return answer
        except ValueError:  # invalid JSON is returned as text
            pass
    return body.decode("utf-8", "replace")
