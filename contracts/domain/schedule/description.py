"""Descriptions of cron expressions in English. Pure."""

from __future__ import annotations

from cron_descriptor import ExpressionDescriptor  # type: ignore[import-untyped]
from cron_descriptor.Exception import FormatError  # type: ignore[import-untyped]

from contracts.domain.schedule.expression import (
    InvalidCron,
    fields_of,
    has_mixed_days,
    spelled_out,
    too_long_step,
)

INVALID = "Invalid schedule"


def describe(expression: str) -> str:
    """The expression in English (`At 09:00 AM`), INVALID, or the expression itself if it is too complex."""
    try:
        fields = fields_of(expression)
        numbered = list(enumerate(fields, start=6 - len(fields)))
        if has_mixed_days(fields) or any(too_long_step(position, text) for position, text in numbered):
            return expression.strip()
        spelled = " ".join(spelled_out(position, text) for position, text in numbered)
        english = ExpressionDescriptor(
            spelled.upper().replace("?", "*"), use_24hour_time_format=False, locale_code="en_US"
        )
        return str(english.get_description())
    except (InvalidCron, FormatError):
        return INVALID
