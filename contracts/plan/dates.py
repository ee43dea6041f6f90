"""The day of the execution in a plan made earlier."""

from __future__ import annotations

from datetime import datetime

from contracts.placeholders import map_texts
from contracts.plan.job import Job
from contracts.prompt import dates, fill


def dated(job: Job, now: datetime) -> Job:
    """`job` with every `{{currentDate}}` and `{{Today}}` in it replaced by `now`, in the reader's zone."""
    if "{{" not in job.model_dump_json():
        return job
    values = dates(now)
    return Job.model_validate(map_texts(job.model_dump(), lambda text: fill(text, values)))
