"""A run's commits as the events that clients of its execution see. Pure: no clock, no I/O.

One that is to be made of a plan is told from the request for the plan on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.api.fields import epoch_ms
from contracts.core.commit import Recorded
from contracts.core.event import Event, Json
from contracts.domain import dag, run
from contracts.domain.awaiting_plan import plan_id
from contracts.domain.run.steps import SYNTHESIS
from gateway.api.executions.presenters import API_STATUS
from gateway.streams.narration import LONGEST_NUMBER, Told

ENDINGS = frozenset({"execution.completed", "execution.failed"})
"""Events after which nothing more happens."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an execution stands."""

    status: str = "pending"
    completed: int = 0
    failed: int = 0
    waiting: int = 0
    """Steps that wait for another try."""

    def fields(self) -> Told:
        """The same in the API's words."""
        return {
            "status": API_STATUS.get(self.status, self.status),
            "completedTasks": self.completed,
            "failedTasks": self.failed,
            "waitingTasks": self.waiting,
        }


NOTHING_DONE = Standing()


class ExecutionNarrator:
    """Tells the execution of a plan."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        self.seq = 0
        """Stream sequence of the last commit told."""
        self.progress = NOTHING_DONE
        self.ending: Told | None = None
        """The event that told the end of the run, once it has come."""
        self._versions: dict[str, int] = {}
        """Position of the last event told, by the name of its aggregate."""
        self._awaited = False
        """Whether it waits for its plan."""
        self._request: run.Requested | None = None
        self._descriptions: dict[str, str] = {}
        self._in_progress: dict[str, None] = {}
        """Steps that run, or wait for another try, in the order they were started."""
        self._resumed = False
        self._report: Json = None
        self._tell: dict[type[Event], Callable[[Any], Iterator[tuple[str, Told]]]] = {
            dag.Requested: self._plan_requested,
            dag.ClarificationAsked: self._clarification_asked,
            dag.Rejected: self._rejected,
            dag.Deleted: self._plan_deleted,
            run.Requested: self._requested,
            run.Started: self._started,
            run.StepsStarted: self._steps_started,
            run.StepCompleted: self._step_completed,
            run.StepFailed: self._step_failed,
            run.Suspended: self._suspended,
            run.Resumed: self._resume,
            run.Cancelled: self._cancelled,
            run.Completed: self._completed,
            run.Deleted: self._deleted,
        }

    @property
    def is_known(self) -> bool:
        """Whether there is such a run."""
        return self._awaited or self._request is not None

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """The plan that it may wait for, then the run itself; the run alone once it is there without one."""
        own = (run.RUN.name, self.run_id)
        if self._request is not None and dag.DAG.name not in self._versions:
            return (own,)
        return (dag.DAG.name, plan_id(self.run_id)), own

    @property
    def standing(self) -> Told:
        """See Narration."""
        return self.progress.fields()

    def follows(self, recorded: Recorded) -> bool:
        """See Narration."""
        return recorded.commit.version == self._versions.get(recorded.commit.aggregate, 0) + 1

    def tell(self, recorded: Recorded) -> list[Told]:
        """What clients see of the next commit. Its last settled step is followed by the counters."""
        at = epoch_ms(recorded.commit.time)
        settled = [n for n, event in enumerate(recorded.commit.events) if _settles_a_task(event)]
        told = []
        for n, event in enumerate(recorded.commit.events):
            tell = self._tell.get(type(event))
            told += [self.event(name, at, fields) for name, fields in tell(event)] if tell else []
            if settled and n == settled[-1]:
                told.append(self.update(at))
        self.seq = recorded.seq
        self._versions[recorded.commit.aggregate] = recorded.commit.last_version
        self.ending = next((one for one in told if one["type"] in ENDINGS), self.ending)
        return told

    def event(self, name: str, at: int, fields: Told) -> Told:
        """One event of this execution."""
        return {"type": name, "executionId": self.run_id, "timestamp": at, **fields}

    def update(self, at: int, standing: Told | None = None) -> Told:
        """`execution.updated`: where it stands, by default now."""
        return self.event("execution.updated", at, standing or self.standing)

    def naming(self, step: str) -> Told:
        """See Narration."""
        return step_ids(step)

    def _plan_requested(self, event: dag.Requested) -> Iterator[tuple[str, Told]]:
        if event.run_id == self.run_id:
            self._awaited = True
            named = {"dagId": plan_id(self.run_id), "originalRequest": event.goal_text}
            yield "execution.planning", {**named, **self.progress.fields()}

    def _clarification_asked(self, event: dag.ClarificationAsked) -> Iterator[tuple[str, Told]]:
        if self._awaited:
            yield "execution.asks", {"dagId": plan_id(self.run_id), "question": event.query}

    def _rejected(self, event: dag.Rejected) -> Iterator[tuple[str, Told]]:
        yield from self._without_plan(event.error)

    def _plan_deleted(self, _: dag.Deleted) -> Iterator[tuple[str, Told]]:
        yield from self._without_plan("its plan was deleted")

    def _without_plan(self, error: str) -> Iterator[tuple[str, Told]]:
        """It will not be there, unless it is already, or its end has been told."""
        if self._awaited and self.ending is None:
            self.progress = replace(self.progress, status="failed")
            yield "execution.failed", {"status": "failed", "error": error, **self._counts()}

    def _requested(self, event: run.Requested) -> Iterator[tuple[str, Told]]:
        self._awaited = False
        self._request = event
        self._descriptions = {task.id: task.description for task in event.job.sub_tasks}
        yield "execution.created", self._headline()

    def _started(self, _: run.Started) -> Iterator[tuple[str, Told]]:
        self.progress = replace(self.progress, status="running")
        if self._resumed:
            yield "execution.updated", self.progress.fields()
        else:
            yield "execution.started", self._headline()

    def _steps_started(self, event: run.StepsStarted) -> Iterator[tuple[str, Told]]:
        self.progress = replace(self.progress, waiting=self.progress.waiting - len(event.retried))
        self._in_progress.update(dict.fromkeys(event.steps))
        for step in event.steps:
            if step != SYNTHESIS:
                yield "substep.started", {**step_ids(step), "description": self._descriptions.get(step, "")}

    def _step_completed(self, event: run.StepCompleted) -> Iterator[tuple[str, Told]]:
        self._in_progress.pop(event.step, None)
        if event.step == SYNTHESIS:
            self._report = event.result
            return
        self.progress = replace(self.progress, completed=self.progress.completed + 1)
        fields = {"durationMs": event.duration_ms, "result": event.result}
        yield "substep.completed", {**step_ids(event.step), **fields}

    def _step_failed(self, event: run.StepFailed) -> Iterator[tuple[str, Told]]:
        progress = self.progress
        if event.retry_at:
            self.progress = replace(progress, waiting=progress.waiting + 1)
            fields = {"attempt": event.attempt, "error": event.error, "retryAt": epoch_ms(event.retry_at)}
            if event.step != SYNTHESIS:
                yield "substep.retrying", {**step_ids(event.step), **fields}
        else:
            yield from self._failed_for_good(event.step, event.error)

    def _failed_for_good(self, step: str, error: str) -> Iterator[tuple[str, Told]]:
        self._in_progress.pop(step, None)
        if step != SYNTHESIS:
            self.progress = replace(self.progress, failed=self.progress.failed + 1)
            yield "substep.failed", {**step_ids(step), "error": error}

    def _suspended(self, event: run.Suspended) -> Iterator[tuple[str, Told]]:
        self._in_progress.clear()
        self.progress = replace(self.progress, status="suspended", waiting=0)
        yield "execution.suspended", {"reason": event.reason, **self._counts()}

    def _resume(self, _: run.Resumed) -> Iterator[tuple[str, Told]]:
        self._resumed = True
        self._in_progress.clear()
        self.progress = replace(self.progress, status="pending", failed=0, waiting=0)
        yield "execution.resumed", self._headline()

    def _cancelled(self, event: run.Cancelled) -> Iterator[tuple[str, Told]]:
        for step in list(self._in_progress):
            yield from self._failed_for_good(step, f"cancelled: {event.reason}")
        self.progress = replace(self.progress, status="cancelled", waiting=0)
        fields = {"status": "failed", "error": f"cancelled: {event.reason}", "cancelledReason": event.reason}
        yield "execution.failed", {**fields, **self._counts()}

    def _completed(self, event: run.Completed) -> Iterator[tuple[str, Told]]:
        self.progress = replace(self.progress, status="completed")
        fields = {"status": "completed", "durationMs": event.duration_ms, "finalResult": self._report}
        yield "execution.completed", {**fields, **self._counts()}

    def _deleted(self, _: run.Deleted) -> Iterator[tuple[str, Told]]:
        self._request = None
        self._awaited = False
        yield "execution.deleted", {}

    def _headline(self) -> Told:
        request = self._request
        if request is None:
            return {}
        return {"totalTasks": len(request.job.sub_tasks), "originalRequest": request.original_request}

    def _counts(self) -> Told:
        return {"completedTasks": self.progress.completed, "failedTasks": self.progress.failed}


def step_ids(step: str) -> Told:
    """How events name a step: its id as text, and as a number where it is one."""
    is_number = step.isascii() and step.isdecimal() and len(step) <= LONGEST_NUMBER
    return {"subStepId": step, "taskId": int(step) if is_number else step}


def _settles_a_task(event: Event) -> bool:
    match event:
        case run.StepCompleted(step=step) | run.StepFailed(step=step):
            return step != SYNTHESIS
    return False
