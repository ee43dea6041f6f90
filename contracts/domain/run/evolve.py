"""How each event changes the state of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event
from contracts.core.spent import Spent
from contracts.domain.budget import NOTHING_SPENT
from contracts.domain.run.ask_events import Answered, Asked, AskExpired, Continued, Waiting
from contracts.domain.run.asks import Closed
from contracts.domain.run.budget_events import BudgetReached, BudgetSet, BudgetWarned
from contracts.domain.run.events import (
    Cancelled,
    Completed,
    Deleted,
    Requested,
    Resumed,
    Started,
    StepCompleted,
    StepFailed,
    StepsStarted,
    Suspended,
    TakenOver,
)
from contracts.domain.run.evolve_goal import evolve_goal_run, with_ready_steps
from contracts.domain.run.fork_events import Inherited
from contracts.domain.run.goal_events import (
    CallAnswered,
    Failed,
    GoalRequested,
    GoalStarted,
    Summarised,
    TurnTaken,
)
from contracts.domain.run.loop import Loop
from contracts.domain.run.state import State, Status
from contracts.domain.run.steps import graph_of, unknown_outcome

T = TypeVar("T")


def evolve(state: State, event: Event) -> State:  # noqa: C901, PLR0911, PLR0912  one transition a line
    """The state after `event`. Never raises."""
    match event:
        case StepCompleted():
            return _completed(state, event)
        case StepsStarted():
            return _steps_started(state, event)
        case StepFailed():
            return _failed(state, event)
        case Requested():
            return _requested(event)
        case Started():
            return _started(state, event)._replace(synthesis=event.synthesis)
        case TakenOver():
            return state._replace(
                executor=event.executor, takeovers=state.takeovers + (1 if state.running else 0)
            )
        case Suspended():
            return _suspended(state, event)
        case Resumed():
            return evolve_goal_run(state, state.loop, event) if state.loop else _resumed(state)
        case Inherited() if state.loop is None:
            return _inherited(state, event)
        case Cancelled():
            worked_ms = event.worked_ms or state.worked_ms
            stopped = _stopped(state, Status.CANCELLED)
            return stopped._replace(replaced_by=event.replaced_by, worked_ms=worked_ms)
        case Completed():
            return _ended(state, event)
        case Deleted():
            return State(Status.DELETED, request=state.request, loop=state.loop)
        case GoalRequested():
            wanted = Loop(event)
            state = State(Status.PENDING, budget=event.budget)
            return with_ready_steps(state, wanted, wanted.next_step())
        case BudgetReached() | BudgetSet() | BudgetWarned():
            return _budgeted(state, event)
        case Asked() | Answered() | AskExpired() | Waiting() | Continued():
            return _asking(state, event)
    return evolve_goal_run(state, state.loop, event) if state.loop else state


def _inherited(state: State, event: Inherited) -> State:
    """The steps of the original are done. Those whose dependencies are among them can start."""
    done = {one.step: one.result for one in event.steps}
    steps = state.graph.steps.items()
    ready = tuple(id_ for id_, step in steps if id_ not in done and all(need in done for need in step.needs))
    outputs = {one.step: one.output for one in event.steps if one.output}
    return state.inheriting(event)._replace(done=done, ready=ready, outputs_by_step=outputs)


def _requested(event: Requested) -> State:
    graph, spent = graph_of(event.job), NOTHING_SPENT.plus(event.planning or Spent())
    budget = event.job.budget
    return State(Status.PENDING, event, graph=graph, ready=graph.roots, budget=budget, spent=spent)


def _started(state: State, event: Started | Continued) -> State:
    return state._replace(status=Status.RUNNING, executor=event.executor, started_at=event.at)


def _completed(state: State, event: StepCompleted) -> State:
    done = {**state.done, event.step: event.result}
    freed = state.graph.freed_by(event.step, done)
    outputs = state.outputs_by_step
    if event.output:
        outputs = {**outputs, event.step: event.output}
    return (
        state.having_spent(event, event.step)
        .having_written(event.step, event.output)
        .without_running(
            event.step,
            done=done,
            outputs_by_step=outputs,
            ready=state.ready + freed if freed else state.ready,
            takeovers=0,
        )
    )


def _steps_started(state: State, event: StepsStarted) -> State:
    attempts = {step: state.attempts.get(step, 0) + 1 for step in event.steps}
    started = frozenset(event.steps)
    return state._replace(
        ready=tuple(step for step in state.ready if step not in started),
        running={**state.running, **attempts},
        effects={**_of(state.running, state.effects), **event.effects},
        rulings={**_of(state.running, state.rulings), **event.outward},
        untrusted=state.untrusted.union(event.untrusted) if event.untrusted else state.untrusted,
        retrying={s: at for s, at in state.retrying.items() if s not in started} if state.retrying else {},
        attempts={**state.attempts, **attempts},
        lost=state.having_lost(event.steps) if state.running else state.lost,
    )


def _failed(state: State, event: StepFailed) -> State:
    failures = {**state.failures, event.step: state.failures.get(event.step, 0) + 1}
    state = state.having_spent(event, event.step).having_written(event.step)
    state = state.without_running(event.step, failures=failures)
    if event.retry_at:
        return state._replace(retrying={**state.retrying, event.step: event.retry_at})
    if state.loop:
        return evolve_goal_run(state, state.loop, event)
    return state._replace(failed={**state.failed, event.step: event.error})


def _resumed(state: State) -> State:
    """Failed and repeatable steps run again. Steps in progress that are not repeatable fail."""
    repeatable = [step for step in state.running if state.is_repeatable(step)]
    again = (*state.failed, *repeatable, *state.retrying)
    return state._replace(
        status=Status.PENDING,
        ready=(*state.ready, *again),
        running={},
        retrying={},
        failed={s: unknown_outcome(state.graph.steps[s]) for s in state.running if s not in again},
        failures={},
        takeovers=0,
        resumes=state.resumes + 1,
        started_at=None,
        suspended=None,
        over_budget=None,
        lost=state.having_lost(repeatable),
        asks=state.asks.without_refusals(),
    )


# ── budgets ─────────────────────────────────────────────────────────────────────────────────────────────


def _budgeted(state: State, event: BudgetReached | BudgetSet | BudgetWarned) -> State:
    match event:
        case BudgetSet():
            return state._replace(budget=event.budget, over_budget=None, warned=frozenset())
        case BudgetWarned():
            return state._replace(warned=state.warned | {event.limit})
    if not event.step:
        return state._replace(over_budget=event)
    ready = (*state.ready, event.step)
    return state.without_running(event.step, over_budget=event, ready=ready, takeovers=0)


# ── questions to a person ───────────────────────────────────────────────────────────────────────────────


def _asking(state: State, event: Asked | Closed | Waiting | Continued) -> State:
    match event:
        case Asked():
            asks = state.asks.with_open(event)
            return state.without_running(event.step, takeovers=0, asks=asks)
        case Waiting():
            return state._replace(status=Status.WAITING, executor=None, worked_ms=event.worked_ms)
        case Continued():
            return _started(state, event)
    return _closed(state, event)


def _closed(state: State, event: Closed) -> State:
    """The step runs again. A run that waits is continued."""
    is_waiting = state.status is Status.WAITING
    return state._replace(
        status=Status.PENDING if is_waiting else state.status,
        ready=(*state.ready, event.step),
        asks=state.asks.with_closed(event),
    )


def _ended(state: State, event: Completed) -> State:
    loop = state.loop and replace(state.loop, outcome_reason=event.outcome_reason)
    worked_ms = state.worked_ms + event.duration_ms
    return state._replace(status=Status.COMPLETED, executor=None, loop=loop, worked_ms=worked_ms)


def _suspended(state: State, event: Suspended) -> State:
    """Open questions are withdrawn. Their steps ask again after a resume."""
    return state._replace(
        status=Status.SUSPENDED,
        executor=None,
        suspended=event.reason,
        worked_ms=event.worked_ms,
        ready=(*state.ready, *state.asks.open),
        asks=state.asks.withdrawn(),
    )


def _stopped(state: State, status: Status) -> State:
    """No step goes on, and open questions are withdrawn."""
    asks = state.asks.withdrawn()
    return state._replace(status=status, executor=None, running={}, retrying={}, asks=asks)


def _of(steps: Mapping[str, int], known: Mapping[str, T]) -> Mapping[str, T]:
    return {step: one for step, one in known.items() if step in steps} if known else {}


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
        GoalRequested,
        GoalStarted,
        TurnTaken,
        CallAnswered,
        Summarised,
        Failed,
        Asked,
        Answered,
        AskExpired,
        Waiting,
        Continued,
        Inherited,
        BudgetSet,
        BudgetWarned,
        BudgetReached,
    ),
)
