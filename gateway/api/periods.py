"""Days, weeks and months in UTC, and parsing of times in queries."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta

from contracts.api.costs import GroupBy
from gateway.http.errors import Refusal

_RELATIVE = re.compile(r"(\d{1,6})([dwm])")


class InvalidTime(ValueError):
    """The text is not a valid time. The message shows the valid forms."""


def moment(text: str, now: datetime) -> datetime:
    """Parse an ISO 8601 date or date-time, or a number of days, weeks or months before `now`.

    Raises:
        InvalidTime: `text` has neither form.
    """
    try:
        if relative := _RELATIVE.fullmatch(text):
            return _before(now, int(relative[1]), relative[2])
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        forms = "2026-01-31, 2026-01-31T12:00:00Z, 7d, 2w or 3m"
        raise InvalidTime(f"{text!r} is not a valid date: write {forms}") from None


def moment_in(name: str, text: str, now: datetime, invalid: str) -> datetime:
    """Parse the query parameter `name` with `moment`. `invalid` is the error text of the answer.

    Raises:
        Refusal: `text` is not a valid time.
    """
    try:
        return moment(text, now)
    except InvalidTime as error:
        issue = {"code": "invalid_date", "path": [name], "message": str(error)}
        raise Refusal(400, invalid, validation_errors=[issue]) from None


def period_of(day: date, group_by: GroupBy) -> str:
    """Return the name of the day, of the Sunday that starts its week, or of its month."""
    match group_by:
        case "day":
            return day.isoformat()
        case "week":
            return (day - timedelta(days=day.isoweekday() % 7)).isoformat()
        case "month":
            return f"{day:%Y-%m}"


def _before(now: datetime, number: int, unit: str) -> datetime:
    if unit != "m":
        return now - timedelta(days=number * (7 if unit == "w" else 1))
    year, month = divmod(now.year * 12 + now.month - 1 - number, 12)
    last_day = calendar.monthrange(year, month + 1)[1]
    return now.replace(year=year, month=month + 1, day=min(now.day, last_day))
