"""Events of every run, and those of the execution of a plan.

Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from contracts.core.event import Event, Json
from contracts.core.spent import Charged
from contracts.core.tool import Effect
from contracts.core.upcasts import UPCASTS
from contracts.domain.plan import Job


class Output(BaseModel):
    """Something that a run leaves outside itself."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["summary", "file", "webhook", "email"]
    content: str
    """A path, or what was sent as JSON text."""


# ── the execution of a plan ─────────────────────────────────────────────────────────────────────────────


class Requested(Event):
    """Somebody wants this plan executed."""

    type: ClassVar[str] = "run.requested"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job", "original_request"})
    dag_id: str
    dag_title: str | None = None
    original_request: str
    job: Job
    trigger: Literal["api", "plan", "schedule"] = "api"
    goal_id: str | None = None
    """The goal whose run this is, when the plan was made for one."""
    webhook_url: str | None = None
    """Told how it ends."""
    timezone: str | None = None
    """IANA name, of the zone whose date is meant wherever a step asks for the date; none: UTC."""


class Started(Event):
    """An executor holds the lease on a pending run."""

    type: ClassVar[str] = "run.started"
    executor: str
    at: datetime
    synthesis: Literal["llm", "merge"]
    """How the report comes about: by a model, or by putting the last results together."""


class StepCompleted(Charged):
    """A step has its result, for good."""

    type: ClassVar[str] = "run.step_completed"
    version: ClassVar[int] = 2
    referring: ClassVar[frozenset[str]] = frozenset({"result"})
    step: str
    attempt: int = 1
    result: Json = None
    """The value itself, or `{"$blob": …}` when it is large."""
    output: Output | None = None
    """What the tool says that this call has left outside the run."""
    duration_ms: int = 0
    agent_id: str | None = None
    agent_version: str | None = None
    """Name of the agent's version, as it was then: agents can be edited in place."""
    prompt_sha256: str | None = None
    """Of its prompt as it was then."""
    finish_reason: str | None = None
    """Of a model's answer: stop, length (cut by max_tokens) or content_filter."""
    generation_stats: dict[str, Json] | None = None


class Suspended(Event):
    """Nothing more can run until somebody resumes."""

    type: ClassVar[str] = "run.suspended"
    reason: str


class Resumed(Event):
    """Failed steps may run again; completed ones stay completed."""

    type: ClassVar[str] = "run.resumed"


# ── every run ───────────────────────────────────────────────────────────────────────────────────────────


class TakenOver(Event):
    """Another executor continues after the holder of the lease went silent."""

    type: ClassVar[str] = "run.taken_over"
    executor: str


class StepsStarted(Event):
    """These steps' code starts now."""

    type: ClassVar[str] = "run.steps_started"
    version: ClassVar[int] = 2
    steps: tuple[str, ...]
    retried: tuple[str, ...] = ()
    """Those of them that were waiting for another try."""
    effects: dict[str, Effect] = Field(default_factory=dict)
    """What a second execution does, for tool calls that are not `once`. A tool call that is not named counts
    as `once`; a step of a model may always run again."""


@UPCASTS.add(StepsStarted.type, from_version=1)
def _steps_of_unknown_effect(data: dict[str, Json]) -> dict[str, Json]:
    return data


class StepFailed(Charged):
    """One attempt of a step failed; with `retry_at` it will be tried again then."""

    type: ClassVar[str] = "run.step_failed"
    step: str
    attempt: int
    error: str
    duration_ms: int = 0
    retry_at: datetime | None = None


OutcomeReason = Literal["done", "budget_exhausted", "truncated", "calls_failed", "nothing_done"]
"""Why a goal run ended, and whether it did what it was told:

- `done`: the agent ended by itself, and no call of a tool stayed failed.
- `budget_exhausted`: the turns were used up before the agent ended.
- `truncated`: the last answer or the summary was cut short, by max_tokens or a content filter.
- `calls_failed`: the agent ended although the last call of some tool had failed.
- `nothing_done`: the agent asked for calls, and none was made: each was refused or unreadable.
"""


class Completed(Event):
    """Every step and the report have completed; or the agent is done, or its turns are used up."""

    type: ClassVar[str] = "run.completed"
    version: ClassVar[int] = 2
    completed_steps: int
    """Steps of the plan, without the report; or turns of the agent."""
    duration_ms: int
    """Since the last start or resume."""
    for_goal: bool = True
    """Whether the run is a goal's; true for older events, which did not record it."""
    outcome_reason: OutcomeReason | None = None
    """None: the run executed a plan, or the event is older than this field."""


@UPCASTS.add(Completed.type, from_version=1)
def _completed_of_a_plan(data: dict[str, Json]) -> dict[str, Json]:
    return data


@UPCASTS.rename("run.goal_completed", from_version=1, to=Completed.type, version=2)
def _completed_of_a_goal(data: dict[str, Json]) -> dict[str, Json]:
    return {"completed_steps": data.pop("steps_executed"), **data}


class Cancelled(Event):
    """A client called it off."""

    type: ClassVar[str] = "run.cancelled"
    reason: str


class Deleted(Event):
    """Gone from every view."""

    type: ClassVar[str] = "run.deleted"


# ── older versions ──────────────────────────────────────────────────────────────────────────────────────


@UPCASTS.add("run.step_completed", from_version=1)
def _step_completed_2(data: dict[str, Json]) -> dict[str, Json]:
    """Version 1 had no output: only the results of three tools told of one, each by fields of its own."""
    result = data.get("result")
    match result:
        case {"path": str(path), "bytesWritten": int(), "mode": str()}:
            output = {"kind": "file", "content": path}
        case {"url": _, "status": _, "statusText": _, "success": _}:
            output = {"kind": "webhook", "content": _picked(result, "url", "status", "success")}
        case {"messageId": _, "to": _, "subject": _, "attachmentCount": _}:
            output = {"kind": "email", "content": _picked(result, "to", "subject", "messageId")}
        case _:
            return data
    return {**data, "output": output}


def _picked(result: Json, *names: str) -> str:
    return orjson.dumps({name: result[name] for name in names}).decode()
