"""One goal planned by several models and temperatures, over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.fields import Absent, Body, NonEmpty, NotBlank, Row
from contracts.api.numbers import INTEGRAL, LARGEST_SEED

MAX_EACH = 20


class Experiments(Body):
    """A goal to plan with every model at every temperature."""

    goal_text: Annotated[NotBlank, Field(alias="goal-text")]
    agent_name: NonEmpty
    """Name of an active agent. Its prompt is the system prompt."""
    provider: NonEmpty
    models: Annotated[list[NonEmpty], Field(min_length=1, max_length=MAX_EACH)]
    temperatures: Annotated[
        list[Annotated[float, Field(ge=0, le=2)]], Field(min_length=1, max_length=MAX_EACH)
    ]
    seed: Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED), INTEGRAL] | None = None


class Experiment(Row):
    """The result of one model at one temperature."""

    dag_id: str | None
    """Present even if planning failed. Null if planning could not start."""
    model: str
    temperature: float
    success: bool
    """Whether planning succeeded."""
    error: Absent[str] = None


class ExperimentsCompleted(Row):
    """The results, ordered by model and then by temperature."""

    status: Literal["completed"]
    total_experiments: int
    success_count: int
    failure_count: int
    results: list[Experiment]
