"""The plan that a model makes for a goal: its format, validation and numbering."""

from contracts.domain.plan.dates import dated, in_zone, mentions_date
from contracts.domain.plan.job import Entity, Intent, Job, SubTask, ToolOrPrompt, Validation
from contracts.domain.plan.natural_order import natural_order
from contracts.domain.plan.renumber import renumber
from contracts.domain.plan.schema import job_schema
from contracts.domain.plan.validation import MAX_PROBLEMS, MAX_STEPS, problems, too_many_steps

__all__ = [
    "Job",
    "SubTask",
    "ToolOrPrompt",
    "Intent",
    "Entity",
    "Validation",
    "problems",
    "too_many_steps",
    "MAX_STEPS",
    "MAX_PROBLEMS",
    "renumber",
    "natural_order",
    "dated",
    "in_zone",
    "mentions_date",
    "job_schema",
]
