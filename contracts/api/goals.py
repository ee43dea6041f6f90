"""Goals over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticKnownError

from contracts.api.agents import AgentRow
from contracts.api.fields import Body, NonEmpty, Omissible, Query, Row, Timestamp
from contracts.api.numbers import COERCED, INTEGRAL, MOST_TOKENS
from contracts.api.paging import FURTHEST, ByCursor, Page
from contracts.api.schedules import ScheduleCreate, ScheduleRow
from contracts.core.event import Json

GoalStatus = Literal["active", "paused", "archived"]
LONGEST_URL = 2048


def _http_url(text: str) -> str:
    """`text` as it was given, which is an absolute HTTP URL."""
    if not re.match(r"https?://[^/\\]", text, re.IGNORECASE):
        raise PydanticKnownError("url_scheme", {"expected_schemes": "'http' or 'https'"})
    try:
        AnyHttpUrl(text)
    except ValidationError as error:
        raise PydanticKnownError("url_parsing", {"error": error.errors()[0]["msg"]}) from error
    return text


HttpUrl = Annotated[
    str,
    Field(max_length=LONGEST_URL),
    AfterValidator(_http_url),
    WithJsonSchema({"type": "string", "format": "uri", "pattern": "^https?://", "maxLength": LONGEST_URL}),
]
Objective = Annotated[str, Field(min_length=10)]
"""At least 10 characters, and at most as many as the setting MAX_MESSAGE_LENGTH says."""


class GoalParams(Body):
    """How a goal is to be pursued; what is left out is as the server is set."""

    strategy: Omissible[Literal["agent", "dag"]] = None
    """`agent` (the default): by the turns of an agent. `dag`: by a plan that is made and executed.

    The plan is made by the active DEFAULT_PLANNER_AGENT, a setting, and its inferences by the agents that it
    names, so that the goal's own agent has no part in it. Dates are those of the time zone of the schedule
    that comes, or that all schedules of the goal have in common; otherwise of UTC.
    """
    step_budget: Omissible[Annotated[int, Field(gt=0, le=100_000), INTEGRAL]] = None
    """Turns at most, of the strategy `agent`; a plan has the steps that it needs."""
    allowed_tools: Omissible[list[Annotated[str, Field(max_length=256)]]] = None
    """Names of tools for the agent, or for the plan; none named: all."""
    constraints: Omissible[dict[str, Json]] = None
    """What the agent, or the planner, is told to observe."""
    temperature: Omissible[Annotated[float, Field(ge=0, le=2)]] = None
    """Of the agent's turns, or of the making of the plan; so is `maxTokens`."""
    max_tokens: Omissible[Annotated[int, Field(gt=0, le=MOST_TOKENS), INTEGRAL]] = None


class GoalCreate(Body):
    """What is to be reached, by whom and when."""

    objective: Objective
    params: GoalParams = GoalParams()
    webhook_url: Omissible[HttpUrl] = None
    """Told how each run ends."""
    agent_name: Omissible[str] = None
    """Name of an active agent; it stays the same version for this goal. Not for the strategy `dag`."""
    agent_id: Omissible[str] = None
    """Any version of an agent, where no name is given; where neither is, the active `defaultAgent`."""
    schedule: Omissible[ScheduleCreate] = None


class GoalPatch(Body):
    """What to change; keys that are left out stay as they are."""

    objective: Omissible[Objective] = None
    params: Omissible[GoalParams] = None
    """In place of all that were."""
    webhook_url: HttpUrl | None = None
    """Null: nobody is told any more."""
    status: Omissible[GoalStatus] = None
    """As pausing and resuming do."""


class GoalQuery(ByCursor):
    """Which goals to list."""

    status: GoalStatus | None = None
    limit: Annotated[int, Field(ge=1, le=FURTHEST), COERCED] | None = None
    """By default all."""
    offset: Annotated[int, Field(ge=0, le=FURTHEST), COERCED] = 0


class MemoryQuery(Page):
    """Which memories to list."""


class GoalRow(Row):
    """A goal."""

    id: str
    objective: str
    params: dict[str, Json]
    webhook_url: str | None
    agent_id: str | None
    status: GoalStatus
    created_at: Timestamp
    updated_at: Timestamp


class GoalDetail(GoalRow):
    """A goal and its schedules."""

    schedules: list[ScheduleRow]


class ListedGoal(GoalDetail):
    """A goal, its schedules and its agent."""

    agent: AgentRow | None
    """Null where there is none any more."""


class GoalChanged(GoalRow):
    """A goal, and what has happened to it."""

    message: NonEmpty


WhenBusy = Literal["queue", "refuse"]


class RunGoalQuery(Query):
    """What happens to a run that is over the limit of runs at once."""

    when_busy: WhenBusy = "queue"
    """`queue`: the run is accepted and stays `pending` until there is room; `message` says so.
    `refuse`: no run is made, and the answer is 400. Pending and running runs of all goals count."""


class RunTriggered(Row):
    """The run has been requested."""

    run_id: str
    message: str
    """Says so if the run is queued."""


class MemoryOrigin(Row):
    """Where a memory comes from."""

    run_id: str


class MemoryRow(Row):
    """What a run has left for the next ones of its goal."""

    id: str
    goal_id: str
    type: Literal["note", "fact", "artifact"]
    """What a run did, what its agent chose to remember, the path of a file that it wrote."""
    content: str
    metadata: MemoryOrigin
    created_at: Timestamp
