"""Converts the commits of a run to stream events. This module does no I/O and reads no clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from contracts.api.fields import epoch_ms
from contracts.core.commit import Commit, Recorded
from contracts.core.event import Event, Json
from contracts.domain import dag, run
from contracts.domain.plan import natural_order
from contracts.domain.run.steps import SYNTHESIS
from contracts.domain.run_requests import plan_id
from gateway.streams import agent_events, ask_events, budget_events, plan_events
from gateway.streams.dialect import Dialect, StreamEvent

ENDS = frozenset({"run.completed", "run.failed"})
"""Final events."""

StreamEvents = Iterator[tuple[str, StreamEvent]]
"""Names and fields of events, before a dialect is applied."""


class StreamProjection:
    """Converts all commits of a run, and of the plan it may wait for, to stream events, in order."""

    def __init__(self, run_id: str, dialect: Dialect) -> None:
        self.run_id = run_id
        self.dialect = dialect
        self.seq = 0
        """Stream sequence of the last commit."""
        self.ending: StreamEvent | None = None
        """The final event of the run; None before its end, and again when it was resumed."""
        self.state = run.State()
        self._plan: dag.Requested | None = None
        """The request for the plan of the run, if the run waits or waited for one."""
        self._rejected = False
        """Whether planning failed."""
        self._stopped_steps = 0
        """Number of steps in progress when the run was cancelled."""
        self._numbers: dict[str, int] = {}
        self._versions: dict[str, int] = {}
        """Position of the last event, by the name of its aggregate."""

    @property
    def is_known(self) -> bool:
        """Whether the run exists."""
        if self.state.status is run.Status.DELETED or not (self._plan or self._is_requested):
            return False
        return self.dialect.knows(self.state, self._plan)

    @property
    def sources(self) -> Sequence[tuple[str, str]]:
        """Aggregates by name and id: the plan that the run may wait for, then the run."""
        own = (run.RUN.name, self.run_id)
        if self._is_requested and dag.DAG.name not in self._versions:
            return (own,)
        return (dag.DAG.name, plan_id(self.run_id)), own

    @property
    def status_event(self) -> StreamEvent:
        """Status and progress of the run, before a dialect is applied."""
        values = self._counters()
        return {name: values[name] for name in ("status", *self.dialect.counters(self.state))}

    def follows(self, recorded: Recorded) -> bool:
        """Whether the commit is the next one of its aggregate."""
        return recorded.commit.version == self._versions.get(recorded.commit.aggregate, 0) + 1

    def apply(self, recorded: Recorded) -> list[StreamEvent]:
        """Process the next commit and return its stream events."""
        commit = recorded.commit
        at = epoch_ms(commit.time)
        stream_events = list(self._stream_events(commit))
        events = [self.event(name, at, fields) for name, fields in stream_events]
        self.seq = recorded.seq
        self._versions[commit.aggregate] = commit.last_version
        for (name, _), event in zip(stream_events, events, strict=True):
            if name in ENDS:
                self.ending = event
            elif name == "run.resumed":
                self.ending = None
        return events

    def event(self, name: str, at: int, fields: StreamEvent) -> StreamEvent:
        """Return an event of this run in its dialect."""
        counters = self.status_event if name in self.dialect.with_counters else {}
        return self.dialect.event(self.run_id, name, at, {**self._named(fields), **counters})

    def update(self, at: int, status_event: StreamEvent | None = None) -> StreamEvent:
        """Return the event with status and progress: the current ones, or those of `standing`."""
        return self.event("run.updated", at, status_event or self.status_event)

    def name_step(self, step: str) -> StreamEvent:
        """Return the fields that name a step."""
        if self.state.loop:
            return agent_events.name_step(step)
        return self.dialect.name_step(step, self._numbers.get(step))

    @property
    def _is_requested(self) -> bool:
        return self.state.request is not None or self.state.loop is not None

    def _named(self, fields: StreamEvent) -> StreamEvent:
        if "step" not in fields:
            return fields
        return {**self.name_step(fields["step"]), **{key: fields[key] for key in fields if key != "step"}}

    def _stream_events(self, commit: Commit) -> StreamEvents:
        """Yield the events of a commit. The counters follow the last task that it settles."""
        settled = [n for n, event in enumerate(commit.events) if plan_events.settles_a_task(event)]
        for n, event in enumerate(commit.events):
            if commit.aggregate == dag.DAG.name:
                yield from self._plan_events(event)
                continue
            yield from self._run_events(event)
            if settled and n == settled[-1] and self.state.request:
                counters = self._counters()
                yield "run.updated", {name: counters[name] for name in plan_events.COUNTERS}

    def _run_events(self, event: Event) -> StreamEvents:
        before, self.state = self.state, run.evolve(self.state, event)
        if isinstance(event, run.Requested):
            self._numbers = {id_: n for n, id_ in enumerate(natural_order(self.state.graph.tasks), start=1)}
            self._numbers[SYNTHESIS] = len(self._numbers) + 1
        if isinstance(event, run.Cancelled):
            self._stopped_steps = len(plan_events.in_progress(before))
        yield from ask_events.stream_events(self.run_id, event)
        yield from budget_events.stream_events(event)
        if self.state.loop:
            yield from agent_events.stream_events(event, self.state, self.state.loop)
        else:
            yield from plan_events.stream_events(event, before, self.state, self._counters())

    def _plan_events(self, event: Event) -> StreamEvents:
        """Yield the events of the plan while the run waits for it."""
        if isinstance(event, dag.Requested) and event.run_id == self.run_id:
            self._plan = event
        if self._plan is None or self._rejected or self.state.status is not run.Status.ABSENT:
            return
        match event:
            case dag.Requested(goal_text=text, goal_id=goal_id):
                fields = {"goalId": goal_id, "request": text, "strategy": "dag"}
                yield "run.requested", {**fields, "dagId": plan_id(self.run_id)}
            case dag.ClarificationAsked(query=query):
                yield "run.asks", {"dagId": plan_id(self.run_id), "question": query}
            case dag.Rejected(error=error):
                yield self._without_plan(error)
            case dag.Deleted():
                yield self._without_plan("its plan was deleted")

    def _without_plan(self, error: str) -> tuple[str, StreamEvent]:
        self._rejected = True
        return "run.failed", plan_events.failed(self._counters(), error)

    def _counters(self) -> dict[str, Json]:
        state = self.state
        failed = len(state.failed) - (SYNTHESIS in state.failed) + self._stopped_steps
        return {
            "status": self._status.value,
            "completed": len(state.loop.turns) if state.loop else len(state.done) - (SYNTHESIS in state.done),
            "failed": failed,
            "waiting": len(state.asks.open) + _retrying(state),
            "budget": state.loop.request.step_budget if state.loop else len(state.graph.tasks),
        }

    @property
    def _status(self) -> run.Status:
        if self.state.status is not run.Status.ABSENT:
            return self.state.status
        return run.Status.FAILED if self._rejected else run.Status.PENDING


def _retrying(state: run.State) -> int:
    return len(state.retrying) if state.status is run.Status.RUNNING else 0
