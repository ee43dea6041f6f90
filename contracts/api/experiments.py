"""One goal planned by several models and temperatures, over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.api.fields import Absent, Body, NonEmpty, Row
from contracts.api.numbers import INTEGRAL, LARGEST_SEED

MAX_EACH = 20


class Experiments(Body):
    """A goal, and what to plan it with: every model at every temperature."""

    goal_text: Annotated[NonEmpty, Field(alias="goal-text")]
    agent_name: NonEmpty
    """An active agent, whose prompt is the system prompt."""
    provider: NonEmpty
    models: Annotated[list[NonEmpty], Field(min_length=1, max_length=MAX_EACH)]
    temperatures: Annotated[
        list[Annotated[float, Field(ge=0, le=2)]], Field(min_length=1, max_length=MAX_EACH)
    ]
    seed: Annotated[int, Field(ge=-LARGEST_SEED, le=LARGEST_SEED), INTEGRAL] | None = None


class Experiment(Row):
    """What came of one model at one temperature."""

    dag_id: str | None
    """There is a DAG even where no plan came of it."""
    model: str
    temperature: float
    success: bool
    """Whether there is a plan."""
    error: Absent[str] = None


class ExperimentsCompleted(Row):
    """What came of all of them, by model and then by temperature."""

    status: Literal["completed"]
    total_experiments: int
    success_count: int
    failure_count: int
    results: list[Experiment]
