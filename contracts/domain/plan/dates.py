"""The day of the execution in a plan made earlier."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts.core.timezones import InvalidTimezone, parse_timezone
from contracts.domain.plan.job import Job
from contracts.domain.plan.placeholders import map_texts
from contracts.domain.prompts.templates import dates, fill


def in_zone(moment: datetime, timezone: str) -> datetime:
    """`moment` as the clocks of a time zone show it; as those of UTC where there is no such zone."""
    try:
        return moment.astimezone(parse_timezone(timezone))
    except InvalidTimezone:
        return moment.astimezone(UTC)


def mentions_date(job: Job) -> bool:
    """Whether `dated` may change `job` at all."""
    return "{{" in job.model_dump_json()


def dated(job: Job, now: datetime) -> Job:
    """`job` with every `{{currentDate}}` and `{{Today}}` in it replaced by `now`, in the reader's zone."""
    if not mentions_date(job):
        return job
    values = dates(now)
    return Job.model_validate(map_texts(job.model_dump(), lambda text: fill(text, values)))
