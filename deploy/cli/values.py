"""Formats values of answers as text: times with their zone, lists, booleans."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rich.text import Text

from contracts.core.event import Json

COLOURS = {
    "active": "green",
    "completed": "green",
    "success": "green",
    "fired": "green",
    "running": "cyan",
    "planning": "cyan",
    "waiting": "yellow",
    "suspended": "yellow",
    "paused": "yellow",
    "calls_failed": "yellow",
    "budget_exhausted": "yellow",
    "truncated": "yellow",
    "nothing_done": "yellow",
    "failed": "red",
    "missed": "red",
}
CELL_CHARACTERS = 200
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CRON = ("cronExpr", "cronSchedule", "cron_schedule")


def text_of(value: Json, zone: tzinfo | None = None) -> Text:
    """Return `value` in full. A status is coloured. Times are in `zone`, by default in local time."""
    return Text(_plain(value, zone), style=COLOURS.get(value, "") if isinstance(value, str) else "")


def cell_of(value: Json, zone: tzinfo | None = None) -> Text:
    """Return the first line of `value`, with `…` if it is cut."""
    text = text_of(value, zone)
    first, *more = text.plain.split("\n", 1)
    if more or len(first) > CELL_CHARACTERS:
        return Text(f"{first[:CELL_CHARACTERS]} …", style=text.style)
    return text


def clock(moment: datetime, zone: tzinfo | None = None) -> str:
    """Format a time as `2026-11-28 09:00:00 CET`. Default zone: local time."""
    return f"{moment.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}"


def zone_of(row: Mapping[str, Json]) -> tzinfo | None:
    """Return the time zone of a row's schedule, or None if it has none."""
    if not any(row.get(name) for name in _CRON):
        return None
    try:
        return ZoneInfo(row["timezone"])
    except (KeyError, TypeError, ValueError, ZoneInfoNotFoundError):
        return None


def value_at(value: Json, path: Sequence[str]) -> Json:
    """Return the value at a path of keys. For a list, return the value of each item."""
    for position, name in enumerate(path):
        if isinstance(value, list):
            return [value_at(item, path[position:]) for item in value]
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def words(name: str) -> str:
    """Convert `createdAt` to `created at`."""
    return _HUMP.sub(" ", name).replace("_", " ").lower()


def _plain(value: Json, zone: tzinfo | None) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str() if _TIME.fullmatch(value):
            return clock(datetime.fromisoformat(value), zone)
        case list():
            return ", ".join(_plain(item, zone) for item in value)
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)
