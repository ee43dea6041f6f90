"""Days, weeks and months in UTC, and how clients name moments."""

from __future__ import annotations

import calendar
import re
from datetime import UTC, date, datetime, timedelta

from contracts.api.costs import GroupBy

_RELATIVE = re.compile(r"(\d{1,6})([dwm])")


class NotAMoment(ValueError):
    """The text names no moment; the message says how to name one."""


def moment(text: str, now: datetime) -> datetime:
    """The moment that `text` names: an ISO date or date-time, or so many days, weeks or months before `now`.

    Raises:
        NotAMoment: it names none.
    """
    try:
        if relative := _RELATIVE.fullmatch(text):
            return _before(now, int(relative[1]), relative[2])
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        forms = "2026-01-31, 2026-01-31T12:00:00Z, 7d, 2w or 3m"
        raise NotAMoment(f"{text!r} is no date: write {forms}") from None


def period_of(day: date, group_by: GroupBy) -> str:
    """The name of the day, of the Sunday its week begins with, or of its month."""
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
