"""Replaces date placeholders in a plan by the time of the execution."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.core.timezones import InvalidTimezone, parse_timezone
from contracts.domain.plan.job import Job
from contracts.domain.plan.placeholders import map_texts
from contracts.domain.prompts.templates import dates, fill


def in_zone(moment: datetime, timezone: str) -> datetime:
    """`moment` in a time zone; in UTC if the time zone is unknown."""
    try:
        return moment.astimezone(parse_timezone(timezone))
    except InvalidTimezone:
        return moment.astimezone(UTC)


def mentions_date(job: Job) -> bool:
    """Whether `job` may hold date placeholders."""
    return "{{" in job.model_dump_json()


def dated(job: Job, now: datetime) -> Job:
    """`job` with every `{{currentDate}}` and `{{Today}}` replaced by `now`, in the time zone of `now`."""
    if not mentions_date(job):
        return job
    values = dates(now)
    return Job.model_validate(map_texts(job.model_dump(), lambda text: fill(text, values)))
