"""Time zones by their IANA names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from zoneinfo import ZoneInfo, available_timezones


class InvalidTimezone(ValueError):
    """The text is no IANA time zone name."""


def parse_timezone(name: str) -> ZoneInfo:
    """The zone called `name`, in capitals or not; its key is the name in its own spelling.

    Raises:
        InvalidTimezone: there is none.
    """
    try:
        return ZoneInfo(_zone_names()[name.lower()])
    except KeyError:
        raise InvalidTimezone(
            f"{name[:80]!r} is no time zone; use an IANA name such as UTC or Europe/Paris"
        ) from None


_OF_THE_HOST = frozenset({"localtime", "posixrules", "Factory"})
"""Files beside those of zones, which mean what the machine says."""


@cache
def _zone_names() -> Mapping[str, str]:
    """Every zone's name by the same in small letters."""
    return {name.lower(): name for name in available_timezones() - _OF_THE_HOST}
