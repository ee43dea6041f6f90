"""Events of all runs, and of runs of a plan.

Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

import operator
from datetime import datetime
from typing import ClassVar, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field

from contracts.core.event import Event, Json
from contracts.core.spent import Charged, Spent
from contracts.core.tool import Effect
from contracts.core.upcasts import UPCASTS
from contracts.domain.outward import Ruling
from contracts.domain.plan import Job
from contracts.domain.webhook import WebhookEvent

CUT_SHORT = frozenset({"length", "content_filter"})
"""Finish reasons of an answer that was cut short."""


class Output(BaseModel):
    """A side effect of a run outside the system: a file, a webhook call, an e-mail; or its summary."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Literal["summary", "file", "webhook", "email"]
    content: str
    """The path of a file, the text of a summary, or the sent data as JSON text."""
    inherited: bool = Field(default=False, exclude_if=operator.not_)
    """Whether the run is a fork, and a step of its original made it."""


class ForkedFrom(BaseModel):
    """The run that a fork was made from."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    run_id: str
    steps: tuple[str, ...] = ()
    """Steps, turns or calls that were changed, or from which the fork runs again."""
    replaces: bool = False
    """Whether the fork replaces the original, which is cancelled."""


# ── the execution of a plan ─────────────────────────────────────────────────────────────────────────────


class Requested(Event):
    """The execution of a plan was requested."""

    type: ClassVar[str] = "run.requested"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job", "original_request"})
    dag_id: str
    dag_title: str | None = None
    original_request: str
    job: Job
    trigger: Literal["api", "plan", "schedule"] = "api"
    goal_id: str | None = None
    """The goal that the run belongs to; null: the plan was not made for a goal."""
    webhook_url: str | None = None
    """URL that is called about the run."""
    webhook_events: tuple[WebhookEvent, ...] = ("ended",)
    """What the URL is called about."""
    timezone: str | None = None
    """IANA time zone of the dates that steps ask for; null: UTC."""
    untrusted_plan: bool = False
    """Whether the model that made the plan had read something from outside."""
    provider: str | None = None
    """Provider of all inferences and of the report; null: that of the agent, or of the settings."""
    model: str | None = None
    """Model of all inferences and of the report; null: that of the agent, or of the settings."""
    forked_from: ForkedFrom | None = None
    """Null: the run is no fork."""
    planning: Spent | None = None
    """What the plan that was made for this run has cost; null: the plan was not made for this run."""
    paid_by: str | None = None
    """The actor who pays for the models; null: the actor of this commit. See contracts.domain.payer."""


class Started(Event):
    """An executor started a pending run."""

    type: ClassVar[str] = "run.started"
    executor: str
    at: datetime
    synthesis: Literal["llm", "merge"]
    """How the report is made: `llm`, by a model; `merge`, by joining the last results."""


class Prompted(Charged):
    """Base class of events that end an attempt which may have asked a model."""

    referring: ClassVar[frozenset[str]] = frozenset({"prompt"})
    prompt: Json = Field(default=None, exclude_if=lambda prompt: prompt is None)
    """The request that was sent to the model, as `{"$blob": …}`: its `messages`, `tools` and parameters.
    Null: no model was asked, or the event is older than this field."""


class StepCompleted(Prompted):
    """A step completed with a final result."""

    type: ClassVar[str] = "run.step_completed"
    version: ClassVar[int] = 2
    referring: ClassVar[frozenset[str]] = Prompted.referring | {"result"}
    step: str
    attempt: int = 1
    result: Json = None
    """The value, or `{"$blob": …}` if it is large."""
    output: Output | None = None
    """The side effect of the tool call, for tools that declare one."""
    duration_ms: int = 0
    agent_id: str | None = None
    agent_version: str | None = None
    """Name of the agent's version at that time; agents can be edited later."""
    prompt_sha256: str | None = None
    """SHA-256 of the agent's prompt at that time."""
    finish_reason: str | None = None
    """Why the model stopped: `stop`, `length` (cut by max_tokens) or `content_filter`."""
    generation_stats: dict[str, Json] | None = None

    @property
    def is_cut_short(self) -> bool:
        """Whether the model stopped before its answer was complete."""
        return self.finish_reason in CUT_SHORT


class Suspended(Event):
    """The run was suspended: no step starts until a client resumes the run."""

    type: ClassVar[str] = "run.suspended"
    reason: str
    worked_ms: int = 0
    """Milliseconds that the run has been running, in total; 0 in events that are older than this field."""


# ── every run ───────────────────────────────────────────────────────────────────────────────────────────


class Resumed(Event):
    """The run was resumed. Completed steps stay completed.

    In a run of a plan, failed steps run again. In a goal run, unfinished steps run again; if there are none,
    another turn follows the last one.
    """

    type: ClassVar[str] = "run.resumed"


class TakenOver(Event):
    """Another executor continues the run, because the previous one stopped responding."""

    type: ClassVar[str] = "run.taken_over"
    executor: str


class StepsStarted(Event):
    """Steps started."""

    type: ClassVar[str] = "run.steps_started"
    version: ClassVar[int] = 3
    steps: tuple[str, ...]
    retried: tuple[str, ...] = ()
    """Those of `steps` that are retried."""
    effects: dict[str, Effect] = Field(default_factory=dict)
    """What a second execution does, by step, for tool calls that are not `once`. A tool call that is not
    listed is `once`. A step that asks a model can always be repeated."""
    untrusted: tuple[str, ...] = ()
    """Those of `steps` whose results are untrusted: from outside, or made of something from outside."""
    outward: dict[str, Ruling] = Field(default_factory=dict)
    """The decisions about the calls that send something to others, by step."""


@UPCASTS.add(StepsStarted.type, from_version=1)
def _steps_of_unknown_effect(data: dict[str, Json]) -> dict[str, Json]:
    return data


@UPCASTS.add(StepsStarted.type, from_version=2)
def _steps_of_unknown_origin(data: dict[str, Json]) -> dict[str, Json]:
    """Version 2 does not say which results are untrusted, so all are."""
    return {**data, "untrusted": data["steps"]}


class StepFailed(Prompted):
    """An attempt at a step failed. It is retried at `retry_at`; null: the step failed finally."""

    type: ClassVar[str] = "run.step_failed"
    step: str
    attempt: int
    error: str
    duration_ms: int = 0
    retry_at: datetime | None = None


OutcomeReason = Literal["done", "budget_exhausted", "truncated", "calls_failed", "nothing_done"]
"""Why a goal run ended:

- `done`: the agent finished, and the last call of every tool succeeded.
- `budget_exhausted`: the agent used all its turns and did not finish.
- `truncated`: the last answer or the summary was cut short, by max_tokens or a content filter.
- `calls_failed`: the agent finished although the last call of some tool had failed.
- `nothing_done`: no tool call was executed, because every call was refused or unreadable.
"""


class Completed(Event):
    """The run completed: all steps and the report are done, or the agent finished or used all its turns."""

    type: ClassVar[str] = "run.completed"
    version: ClassVar[int] = 2
    completed_steps: int
    """Number of steps of the plan, without the report; or number of turns of the agent."""
    duration_ms: int
    """Milliseconds since the last start or resume."""
    for_goal: bool = True
    """Whether the run belongs to a goal; true in older events, which do not have this field."""
    outcome_reason: OutcomeReason | None = None
    """Null: the run executed a plan, or the event is older than this field."""


@UPCASTS.add(Completed.type, from_version=1)
def _completed_of_a_plan(data: dict[str, Json]) -> dict[str, Json]:
    return data


@UPCASTS.rename("run.goal_completed", from_version=1, to=Completed.type, version=2)
def _completed_of_a_goal(data: dict[str, Json]) -> dict[str, Json]:
    return {"completed_steps": data.pop("steps_executed"), **data}


class Cancelled(Event):
    """The run was cancelled."""

    type: ClassVar[str] = "run.cancelled"
    reason: str
    replaced_by: str | None = None
    """Id of the fork that replaces the run; null: none does."""
    worked_ms: int = Field(default=0, exclude_if=operator.not_)
    """Milliseconds that the run has been running, in total, if a fork replaces it; 0 in older events."""


class Deleted(Event):
    """The run was deleted."""

    type: ClassVar[str] = "run.deleted"


# ── older versions ──────────────────────────────────────────────────────────────────────────────────────


@UPCASTS.add("run.step_completed", from_version=1)
def _step_completed_2(data: dict[str, Json]) -> dict[str, Json]:
    """Version 1 has no `output`. It is derived from the results of the tools that had an effect outside."""
    result = data.get("result")
    match result:
        case {"path": str(path), "bytesWritten": int(), "mode": str()}:
            output = {"kind": "file", "content": path}
        case {"url": _, "status": _, "statusText": _, "success": _}:
            output = {"kind": "webhook", "content": _subset(result, "url", "status", "success")}
        case {"messageId": _, "to": _, "subject": _, "attachmentCount": _}:
            output = {"kind": "email", "content": _subset(result, "to", "subject", "messageId")}
        case _:
            return data
    return {**data, "output": output}


def _subset(result: Json, *names: str) -> str:
    return orjson.dumps({name: result[name] for name in names}).decode()
