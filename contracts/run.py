"""A run: one execution of a plan, from the request to its end, over any number of executors.

Written by the gateway, planner and scheduler (requested, resumed, cancelled, deleted) and the executor.
Events are stored for ever: when a shape changes, raise its version and add an upcast.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Literal

from contracts.aggregate import Aggregate, DomainError
from contracts.event import Event, Json, Usage
from contracts.plan import Job
from contracts.steps import SYNTHESIS, Graph, Step, graph_of, merged

EMPTY: Mapping[str, int] = {}


# ── events ──────────────────────────────────────────────────────────────────────────────────────────────


class Requested(Event):
    """Somebody wants this plan executed."""

    type: ClassVar[str] = "run.requested"
    offloaded: ClassVar[frozenset[str]] = frozenset({"job"})
    dag_id: str
    dag_title: str | None = None
    original_request: str
    job: Job
    trigger: Literal["api", "plan", "schedule"] = "api"


class Started(Event):
    """An executor holds the lease on a pending run."""

    type: ClassVar[str] = "run.started"
    executor: str
    at: datetime
    synthesis: Literal["llm", "merge"]
    """How the report comes about: by a model, or by putting the last results together."""


class TakenOver(Event):
    """Another executor continues after the holder of the lease went silent."""

    type: ClassVar[str] = "run.taken_over"
    executor: str


class StepsStarted(Event):
    """These steps' code starts now."""

    type: ClassVar[str] = "run.steps_started"
    steps: tuple[str, ...]
    retried: tuple[str, ...] = ()
    """Those of them that were waiting for another try."""


class StepCompleted(Event):
    """A step has its result, for good."""

    type: ClassVar[str] = "run.step_completed"
    step: str
    attempt: int = 1
    result: Json = None
    """The value itself, or `{"$blob": …}` when it is large."""
    duration_ms: int = 0
    usage: Usage | None = None
    cost_usd: str | None = None
    """Exact decimal text."""
    provider: str | None = None
    model: str | None = None
    agent_id: str | None = None
    generation_stats: dict[str, Json] | None = None


class StepFailed(Event):
    """One attempt of a step failed; with `retry_at` it will be tried again then."""

    type: ClassVar[str] = "run.step_failed"
    step: str
    attempt: int
    error: str
    duration_ms: int = 0
    retry_at: datetime | None = None


class Suspended(Event):
    """Nothing more can run until somebody resumes."""

    type: ClassVar[str] = "run.suspended"
    reason: str


class Resumed(Event):
    """Failed steps may run again; completed ones stay completed."""

    type: ClassVar[str] = "run.resumed"


class Cancelled(Event):
    """A client called it off."""

    type: ClassVar[str] = "run.cancelled"
    reason: str


class Completed(Event):
    """Every step and the synthesis have completed."""

    type: ClassVar[str] = "run.completed"
    completed_steps: int
    duration_ms: int
    """Since the last start or resume."""


class Deleted(Event):
    """Gone from every view."""

    type: ClassVar[str] = "run.deleted"


# ── state ───────────────────────────────────────────────────────────────────────────────────────────────


class Status(StrEnum):
    """Last token of the subject."""

    ABSENT = "absent"
    PENDING = "pending"
    RUNNING = "running"
    SUSPENDED = "suspended"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    DELETED = "deleted"


OPEN = frozenset({Status.PENDING, Status.RUNNING, Status.SUSPENDED})
"""States from which a run can still move on."""


@dataclass(frozen=True, slots=True)
class State:
    """What is needed to go on: nothing else has to be remembered anywhere."""

    status: Status = Status.ABSENT
    request: Requested | None = None
    graph: Graph = field(default_factory=Graph)
    executor: str | None = None
    started_at: datetime | None = None
    synthesis: Literal["llm", "merge"] = "llm"
    done: Mapping[str, Json] = field(default_factory=dict)
    """Results by step."""
    ready: tuple[str, ...] = ()
    """Steps whose dependencies are done and which have not been started."""
    running: Mapping[str, int] = field(default_factory=dict)
    """The attempt in progress, by step."""
    retrying: Mapping[str, datetime] = field(default_factory=dict)
    """When to try again, by step."""
    failed: Mapping[str, str] = field(default_factory=dict)
    """Final errors by step."""
    attempts: Mapping[str, int] = field(default_factory=dict)
    """Attempts ever started, by step."""
    failures: Mapping[str, int] = field(default_factory=dict)
    """Failed attempts since the last resume, by step."""
    takeovers: int = 0
    """Take-overs since a step last completed."""
    resumes: int = 0


def evolve(state: State, event: Event) -> State:  # noqa: C901, PLR0911  one transition a line
    """The state after `event`. Records; never refuses."""
    match event:
        case StepCompleted():
            return _completed(state, event)
        case StepsStarted():
            return _steps_started(state, event)
        case StepFailed():
            return _failed(state, event)
        case Requested():
            graph = graph_of(event.job)
            return State(Status.PENDING, request=event, graph=graph, ready=graph.roots)
        case Started():
            return replace(
                state,
                status=Status.RUNNING,
                executor=event.executor,
                started_at=event.at,
                synthesis=event.synthesis,
            )
        case TakenOver():
            return replace(state, executor=event.executor, takeovers=state.takeovers + 1)
        case Suspended():
            return replace(state, status=Status.SUSPENDED, executor=None)
        case Resumed():
            return _resumed(state)
        case Cancelled():
            return replace(state, status=Status.CANCELLED, executor=None, running={}, retrying={})
        case Completed():
            return replace(state, status=Status.COMPLETED, executor=None)
        case Deleted():
            return State(Status.DELETED, request=state.request)
    return state


def _completed(state: State, event: StepCompleted) -> State:
    done = {**state.done, event.step: event.result}
    freed = state.graph.freed_by(event.step, done)
    return replace(
        state,
        done=done,
        ready=state.ready + freed if freed else state.ready,
        running=_without(state.running, event.step),
        takeovers=0,
    )


def _steps_started(state: State, event: StepsStarted) -> State:
    attempts = {step: state.attempts.get(step, 0) + 1 for step in event.steps}
    started = frozenset(event.steps)
    return replace(
        state,
        ready=tuple(step for step in state.ready if step not in started),
        running={**state.running, **attempts},
        retrying={s: at for s, at in state.retrying.items() if s not in started} if state.retrying else {},
        attempts={**state.attempts, **attempts},
    )


def _failed(state: State, event: StepFailed) -> State:
    state = replace(
        state,
        running=_without(state.running, event.step),
        failures={**state.failures, event.step: state.failures.get(event.step, 0) + 1},
    )
    if event.retry_at:
        return replace(state, retrying={**state.retrying, event.step: event.retry_at})
    return replace(state, failed={**state.failed, event.step: event.error})


def _resumed(state: State) -> State:
    again = (*state.failed, *state.running, *state.retrying)
    return replace(
        state,
        status=Status.PENDING,
        ready=(*state.ready, *again),
        running={},
        retrying={},
        failed={},
        failures={},
        takeovers=0,
        resumes=state.resumes + 1,
    )


def _without(mapping: Mapping[str, int], key: str) -> Mapping[str, int]:
    return {k: v for k, v in mapping.items() if k != key}


RUN = Aggregate(
    "run",
    State(),
    evolve,
    lambda state: state.status.value,
    (
        Requested,
        Started,
        TakenOver,
        StepsStarted,
        StepCompleted,
        StepFailed,
        Suspended,
        Resumed,
        Cancelled,
        Completed,
        Deleted,
    ),
)


# ── decisions ───────────────────────────────────────────────────────────────────────────────────────────


class UnknownRun(DomainError):
    """There is no such run."""


class CannotResume(DomainError):
    """Only a suspended run can be resumed."""


class AlreadyFinished(DomainError):
    """The run has ended; it cannot be cancelled any more."""


@dataclass(frozen=True, slots=True)
class Succeeded:
    """What came of an attempt: a result."""

    completed: StepCompleted


@dataclass(frozen=True, slots=True)
class Erred:
    """What came of an attempt: an error."""

    step: str
    attempt: int
    error: str
    duration_ms: int
    retryable: bool
    retry_after: float | None = None
    """Seconds the other side asked us to wait."""
    jitter: float = 0.0
    """0 to 1, drawn by the caller."""


Outcome = Succeeded | Erred


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits and retries of one run's steps."""

    parallel: int = 1000
    retries: int = 2
    backoff_s: float = 1.0
    """Before the first retry; doubled for each further one, plus up to as much again by jitter."""
    max_backoff_s: float = 60.0
    max_takeovers: int = 5
    """Take-overs in a row without a completed step, after which the run is suspended as poisonous."""


def request(state: State, wanted: Requested) -> list[Event]:
    """Ask for a run; asking again for one that exists is nothing."""
    return [wanted] if state.status is Status.ABSENT else []


def start(state: State, executor: str, now: datetime, policy: Policy, *, llm: bool) -> list[Event]:
    """Take a pending run and start what can run. `llm`: whether this executor can call a model."""
    if state.status is not Status.PENDING or state.request is None:
        return []
    job = state.request.job
    by_model = bool(job.synthesis_plan.strip()) and (llm or state.graph.infers)
    started = Started(executor=executor, at=now, synthesis="llm" if by_model else "merge")
    return [started, *_advance(evolve(state, started), now, policy)]


def take_over(
    state: State, executor: str, now: datetime, policy: Policy, repeatable: Callable[[Step], bool]
) -> list[Event]:
    """Continue a running run whose executor went silent.

    Steps in progress have an unknown outcome: `repeatable` ones run again, the others fail and say so.
    """
    if state.status is not Status.RUNNING:
        return []
    events: list[Event] = [TakenOver(executor=executor)]
    again = []
    for step, attempt in state.running.items():
        if repeatable(state.graph.steps[step]):
            again.append(step)
        else:
            events.append(
                StepFailed(step=step, attempt=attempt, error=_unknown_outcome(state.graph.steps[step]))
            )
    if state.takeovers + 1 >= policy.max_takeovers:
        stuck = ", ".join(state.running) or "none"
        reason = (
            f"{policy.max_takeovers} executors in a row died while running it; steps in progress: {stuck}"
        )
        return [*events, Suspended(reason=reason)]
    if again:
        events.append(StepsStarted(steps=tuple(again)))
    return [*events, *_advance(RUN.fold(events, state), now, policy)]


def settle(state: State, outcomes: Sequence[Outcome], now: datetime, policy: Policy) -> list[Event]:
    """What came of attempts, and everything that may start because of it, in one decision.

    Outcomes of attempts that are not in progress (late, or settled before) are passed over.
    """
    if state.status is not Status.RUNNING:
        return []
    events: list[Event] = []
    seen: set[str] = set()
    for outcome in outcomes:
        event = _outcome_event(state, outcome, now, policy)
        if event and event.step not in seen:
            seen.add(event.step)
            events.append(event)
    return [*events, *_advance(RUN.fold(events, state), now, policy)]


def suspend(state: State, reason: str) -> list[Event]:
    """Stop a run that cannot go on."""
    return [Suspended(reason=reason)] if state.status is Status.RUNNING else []


def resume(state: State) -> list[Event]:
    """Let a suspended run go on where it stopped."""
    require_known(state)
    if state.status is not Status.SUSPENDED:
        raise CannotResume(f"the run is {state.status}; only a suspended one can be resumed")
    return [Resumed()]


def cancel(state: State, reason: str) -> list[Event]:
    """Call a run off; doing it twice is nothing."""
    require_known(state)
    if state.status is Status.CANCELLED:
        return []
    if state.status not in OPEN:
        raise AlreadyFinished(f"the run is {state.status}; there is nothing left to cancel")
    return [Cancelled(reason=reason)]


def delete(state: State) -> list[Event]:
    """Remove a run from the views; an open one is cancelled first."""
    require_known(state)
    cancelled = [Cancelled(reason="deleted")] if state.status in OPEN else []
    return [*cancelled, Deleted()]


def require_known(state: State) -> None:
    """Raises UnknownRun for a run that never was or was deleted."""
    if state.status in {Status.ABSENT, Status.DELETED}:
        raise UnknownRun("there is no such run")


def next_retry(state: State) -> datetime | None:
    """When the earliest failed attempt is to be tried again."""
    return min(state.retrying.values(), default=None)


def _advance(state: State, now: datetime, policy: Policy) -> list[Event]:
    """Everything that follows from the state alone: steps that may start, else the end."""
    if state.status is not Status.RUNNING:
        return []
    room = policy.parallel - len(state.running)
    due = [step for step, at in state.retrying.items() if at <= now]
    startable = (*due, *(step for step in state.ready if step != SYNTHESIS or state.synthesis == "llm"))
    steps = startable[: max(room, 0)]
    if steps:
        return [StepsStarted(steps=steps, retried=tuple(step for step in steps if step in state.retrying))]
    if state.running or state.retrying or startable:
        return []
    if state.failed:
        return [Suspended(reason=_why_suspended(state))]
    return _finish(state, now)


def _finish(state: State, now: datetime) -> list[Event]:
    events: list[Event] = []
    if SYNTHESIS not in state.done:
        events.append(StepCompleted(step=SYNTHESIS, result=merged(state.graph, state.done)))
    elapsed = now - (state.started_at or now)
    return [
        *events,
        Completed(
            completed_steps=len(state.graph.tasks), duration_ms=max(0, elapsed // timedelta(milliseconds=1))
        ),
    ]


def _outcome_event(
    state: State, outcome: Outcome, now: datetime, policy: Policy
) -> StepCompleted | StepFailed | None:
    if isinstance(outcome, Succeeded):
        event = outcome.completed
        return event if state.running.get(event.step) == event.attempt else None
    if state.running.get(outcome.step) != outcome.attempt:
        return None
    return StepFailed(
        step=outcome.step,
        attempt=outcome.attempt,
        error=outcome.error,
        duration_ms=outcome.duration_ms,
        retry_at=_retry_at(state, outcome, now, policy),
    )


def _retry_at(state: State, outcome: Erred, now: datetime, policy: Policy) -> datetime | None:
    failures = state.failures.get(outcome.step, 0)
    if not outcome.retryable or failures >= policy.retries:
        return None
    backoff = min(policy.backoff_s * 2**failures * (1 + outcome.jitter), policy.max_backoff_s)
    return now + timedelta(seconds=max(backoff, outcome.retry_after or 0))


def _why_suspended(state: State) -> str:
    (first, error), *others = state.failed.items()
    return f"{error}" if not others else f"{error} (and {len(others)} more failed; first: {first})"


def _unknown_outcome(step: Step) -> str:
    return (
        f"the executor died while {step.task.tool_or_prompt.name} was running, so whether it took effect is "
        "unknown; it is not safe to repeat by itself. Check, then resume to run it again"
    )
