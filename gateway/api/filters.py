"""The filters for text and time that a client gives to a list."""

from __future__ import annotations

from datetime import datetime

from contracts.api.fields import epoch_ms
from contracts.api.filters import TextAndTime
from gateway.api.periods import moment_in
from gateway.http.errors import Refusal
from gateway.views.filtering import Values, given, words_of

INVALID = "Invalid query parameters"


def text_and_time(query: TextAndTime, now: datetime) -> Values:
    """Return the values of the filters `q`, `from` and `to`.

    Raises:
        Refusal: a time is invalid, or `from` is after `to`.
    """
    start, end = _ms("from", query.from_, now), _ms("to", query.to, now)
    if start is not None and end is not None and start > end:
        issue = {
            "code": "custom",
            "path": ["from"],
            "message": f"{query.from_!r} is after `to`, {query.to!r}",
        }
        raise Refusal(400, INVALID, validation_errors=[issue])
    return given(q=words_of(query.q), from_ms=start, to_ms=end)


def _ms(name: str, text: str | None, now: datetime) -> int | None:
    return None if text is None else epoch_ms(moment_in(name, text, now, INVALID))
