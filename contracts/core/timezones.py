"""Time zones by their IANA names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from contracts.core.suggestions import did_you_mean


class InvalidTimezone(ValueError):
    """The text is not an IANA time zone name."""


def parse_timezone(name: str) -> ZoneInfo:
    """The time zone `name`. Case is ignored; the `key` of the result has the official spelling.

    Raises:
        InvalidTimezone: there is no such time zone.
    """
    try:
        return ZoneInfo(_zone_names()[name.lower()])
    except KeyError:
        advice = (
            did_you_mean(name, _zone_names().values()) or "; use an IANA name such as UTC or Europe/Paris"
        )
        raise InvalidTimezone(f"{name[:80]!r} is not a time zone{advice}") from None


_OF_THE_HOST = frozenset({"localtime", "posixrules", "Factory"})
"""Names in the time zone database that are not zones: their meaning depends on the machine."""


@cache
def _zone_names() -> Mapping[str, str]:
    """Maps the lower-case name of each zone to its official name."""
    return {name.lower(): name for name in available_timezones() - _OF_THE_HOST}
