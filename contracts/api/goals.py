"""Goals over HTTP."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, AnyHttpUrl, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticKnownError

from contracts.api.agents import AgentRow
from contracts.api.fields import NOT_BLANK, VISIBLE, Body, NonEmpty, Omissible, Query, Row, Timestamp
from contracts.api.filters import MinCost, Name, TextAndTime
from contracts.api.limits import RunLimits, ToolNames
from contracts.api.numbers import COERCED, INTEGRAL, MOST_TOKENS
from contracts.api.paging import FURTHEST, ByCursor, Page
from contracts.api.schedules import ScheduleCreate, ScheduleRow
from contracts.core.event import Json
from contracts.domain.webhook import WebhookEvent

GoalStatus = Literal["active", "paused", "archived"]
LONGEST_URL = 2048


def _http_url(text: str) -> str:
    """Return `text` unchanged if it is an absolute HTTP URL."""
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
WebhookEvents = Annotated[list[WebhookEvent], Field(min_length=1, max_length=2)]
Objective = Annotated[str, Field(min_length=10, json_schema_extra={**VISIBLE}), NOT_BLANK]
"""At least 10 characters, and at most the setting MAX_MESSAGE_LENGTH."""


class GoalParams(RunLimits):
    """How a goal runs. The server's settings apply to omitted keys."""

    strategy: Omissible[Literal["agent", "dag"]] = None
    """`agent` (the default): an agent works in turns. `dag`: the goal is planned and the plan is executed.

    The agent of the setting DEFAULT_PLANNER_AGENT makes the plan. The goal's own agent is not used.
    Dates in the plan use the time zone of the schedule that fired. A run without a schedule uses the time
    zone that all schedules of the goal share, or else UTC.
    """
    step_budget: Omissible[Annotated[int, Field(gt=0, le=100_000), INTEGRAL]] = None
    """Maximum number of turns. Only for the strategy `agent`."""
    allowed_tools: Omissible[ToolNames] = None
    """Names of the tools that the agent or the plan may use. Empty: all."""
    constraints: Omissible[dict[str, Json]] = None
    """Constraints for the agent or the planner."""
    temperature: Omissible[Annotated[float, Field(ge=0, le=2)]] = None
    """Applies to the turns of the agent, or to planning. So does `maxTokens`."""
    max_tokens: Omissible[Annotated[int, Field(gt=0, le=MOST_TOKENS), INTEGRAL]] = None


class GoalCreate(Body):
    """A goal to create."""

    objective: Objective
    params: GoalParams = GoalParams()
    webhook_url: Omissible[HttpUrl] = None
    """The server sends a POST to this URL about the `webhookEvents`."""
    webhook_events: Omissible[WebhookEvents] = None
    """`ended`: each end of a run; `asked`: each question of a run to a person. Default: `ended`."""
    agent_name: Omissible[str] = None
    """Name of an active agent. The goal keeps this version of it. The strategy `dag` does not use it."""
    agent_id: Omissible[str] = None
    """Id of any version of an agent. Used only without `agentName`. Default: the active `defaultAgent`."""
    schedule: Omissible[ScheduleCreate] = None


class GoalPatch(Body):
    """Changes to a goal. Omitted keys stay unchanged."""

    objective: Omissible[Objective] = None
    params: Omissible[GoalParams] = None
    """Replaces all params."""
    webhook_url: HttpUrl | None = None
    """Null removes the URL."""
    webhook_events: Omissible[WebhookEvents] = None
    """Does not affect runs in progress."""
    status: Omissible[GoalStatus] = None
    """`paused` and `active` have the same effect as pausing and resuming the goal."""


class GoalQuery(ByCursor, TextAndTime):
    """Which goals to list."""

    status: GoalStatus | None = None
    agent: Name | None = None
    """Only goals of the agent with this name, in any version, or with this id."""
    tool: Name | None = None
    """Only goals with a run that has a step of this tool."""
    min_cost_usd: MinCost | None = None
    """Only goals whose runs together cost at least this many US dollars."""
    limit: Annotated[int, Field(ge=1, le=FURTHEST), COERCED] | None = None
    """Default: no limit."""
    offset: Annotated[int, Field(ge=0, le=FURTHEST), COERCED] = 0


class MemoryQuery(Page, ByCursor):
    """Which memories to list."""


class GoalRow(Row):
    """A goal."""

    id: str
    objective: str
    params: dict[str, Json]
    webhook_url: str | None
    webhook_events: list[WebhookEvent]
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
    """Null if the agent was deleted."""


class GoalChanged(GoalRow):
    """A goal, and a message about the change."""

    message: NonEmpty


WhenBusy = Literal["queue", "refuse"]


class RunGoalQuery(Query):
    """What happens if the maximum number of goal runs is in progress."""

    when_busy: WhenBusy = "queue"
    """`queue`: the run is accepted and stays `pending` until another run ends. `message` says so.
    `refuse`: no run is created, and the answer is 400. Pending and running runs of all goals count."""


class RunTriggered(Row):
    """The run is requested."""

    run_id: str
    message: str
    """States whether the run is queued."""


class MemoryOrigin(Row):
    """The origin of a memory."""

    run_id: str


class MemoryRow(Row):
    """A memory: something that a run stored for later runs of its goal."""

    id: str
    goal_id: str
    type: Literal["note", "fact", "artifact"]
    """`note`: what a run did. `fact`: what its agent remembers. `artifact`: path of a file that it wrote."""
    content: str
    metadata: MemoryOrigin
    created_at: Timestamp
