"""The decisions about a run: each takes the state and returns events. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from contracts.core.aggregate import DomainError
from contracts.core.event import Event
from contracts.core.spent import Spent
from contracts.core.tool import Effect
from contracts.domain.run import budgets, goal_decisions
from contracts.domain.run.ask_decisions import effect_of, expire
from contracts.domain.run.ask_events import Continued, Waiting
from contracts.domain.run.attempts import Failure, Outcome, OutcomeEvent, RunPolicy, Settled, Success
from contracts.domain.run.events import (
    Cancelled,
    Completed,
    Deleted,
    Requested,
    Started,
    StepCompleted,
    StepFailed,
    StepsStarted,
    Suspended,
    TakenOver,
)
from contracts.domain.run.evolve import RUN, evolve
from contracts.domain.run.goal_events import (
    Failed,
    GoalRequested,
    GoalStarted,
)
from contracts.domain.run.state import OPEN, State, Status, require_known
from contracts.domain.run.steps import CHECK_FIRST, SYNTHESIS, merged, unknown_outcome


class AlreadyFinished(DomainError):
    """The run has ended; it cannot be cancelled any more."""


FAILED_AT_ONCE = 200
"""Maximum number of steps that `give_up` fails in one decision, so that the events fit into one commit."""
NAMED = 10
"""Maximum number of steps that the reason of a suspension names."""


def request(state: State, wanted: Requested | GoalRequested) -> list[Event]:
    """Request a run. Returns no events if the run exists."""
    return [wanted] if state.status is Status.ABSENT else []


def start(state: State, executor: str, now: datetime, policy: RunPolicy, *, llm: bool) -> list[Event]:
    """Start a pending run of a plan and its first steps. `llm`: whether a model can write the report."""
    if state.status is not Status.PENDING or state.request is None:
        return []
    by_model = llm and bool(state.request.job.synthesis_plan.strip())
    started = Started(executor=executor, at=now, synthesis="llm" if by_model else "merge")
    return [started, *_advance(evolve(state, started), now, policy)]


def start_goal(state: State, started: GoalStarted | Failed, policy: RunPolicy) -> list[Event]:
    """Start a pending goal run and its next steps, or fail it if `started` is Failed.

    A resumed run may have calls with an unknown outcome. Those that are not repeatable fail.
    """
    if state.status is not Status.PENDING or state.loop is None:
        return []
    if isinstance(started, Failed):
        return [started]
    events = [started, *_unknown_outcomes(state)]
    return [*events, *_advance(RUN.fold(events, state), started.at, policy)]


def take_over(state: State, executor: str, now: datetime, policy: RunPolicy) -> list[Event]:
    """Continue a running run whose executor stopped responding.

    The outcome of steps in progress is unknown: repeatable steps run again, the others fail.
    """
    if state.status is not Status.RUNNING:
        return []
    events: list[Event] = [TakenOver(executor=executor)]
    events += _unknown_outcomes(state)
    if state.running and state.takeovers + 1 >= policy.max_takeovers:
        worked_ms = budgets.worked_ms(state, now)
        return [*events, _stopped(state, _too_many_takeovers(state, policy), worked_ms)]
    if again := tuple(step for step in state.running if state.is_repeatable(step)):
        events.append(_started(state, again, policy))
    return [*events, *_advance(RUN.fold(events, state), now, policy)]


def go_on(state: State, executor: str, now: datetime, policy: RunPolicy) -> list[Event]:
    """Continue a pending run that waited for a person."""
    if not state.is_to_continue:
        return []
    continued = Continued(executor=executor, at=now)
    return [continued, *_advance(evolve(state, continued), now, policy)]


def settle(
    state: State,
    outcomes: Sequence[Outcome],
    now: datetime,
    policy: RunPolicy,
    *,
    overdue: Collection[str] = (),
) -> Settled:
    """Record the outcomes of attempts, and start the steps that can start now.

    Outcomes of attempts that are not in progress (late, or already recorded) are ignored. `overdue`: steps
    that have waited long enough for their retry, whatever `now` is.
    """
    if state.status is not Status.RUNNING:
        return Settled([], state)
    events: list[Event] = []
    seen: set[str] = set()
    for outcome in outcomes:
        event = _outcome_event(state, outcome, now, policy)
        if event and event.step not in seen:
            seen.add(event.step)
            events.append(event)
    state = RUN.fold(events, state)
    if warned := budgets.warnings(state, now):
        events += warned
        state = RUN.fold(warned, state)
    following = _advance(state, now, policy, overdue)
    return Settled([*events, *following], RUN.fold(following, state))


def give_up(state: State, reason: str, now: datetime) -> list[Event]:
    """Stop a run that no executor continues, because its message was removed from the queue.

    Steps in progress that are not repeatable fail first. They may not fit into one commit, so call this again
    until it returns no events.
    """
    if state.status not in {Status.PENDING, Status.RUNNING}:
        return []
    unknown = [] if state.loop else _unknown_outcomes(state)
    if len(unknown) > FAILED_AT_ONCE:
        return unknown[:FAILED_AT_ONCE]
    return [*unknown, _stopped(state, reason, budgets.worked_ms(state, now))]


def cancel(state: State, reason: str) -> list[Event]:
    """Cancel a run. Returns no events if the run is already cancelled.

    Raises:
        UnknownRun: there is no such run.
        AlreadyFinished: the run has ended.
    """
    require_known(state)
    if state.status is Status.CANCELLED:
        return []
    if state.status not in OPEN:
        raise AlreadyFinished(f"the run is {state.status}; there is nothing left to cancel")
    return [Cancelled(reason=reason)]


def delete(state: State) -> list[Event]:
    """Delete a run. An open run is cancelled first."""
    require_known(state)
    cancelled = [Cancelled(reason="deleted")] if state.status in OPEN else []
    return [*cancelled, Deleted()]


def retries(state: State, policy: RunPolicy) -> Mapping[str, datetime]:
    """Time of the retry of each step that waits for one; empty if the maximum number of steps is running."""
    if not state.retrying or not _room(state, policy):
        return {}
    return {step: state.retrying[step] for step in budgets.affordable(state, tuple(state.retrying))}


def _advance(state: State, now: datetime, policy: RunPolicy, overdue: Collection[str] = ()) -> list[Event]:
    """What follows from the state: steps that can start, else the end of the run."""
    if state.status is not Status.RUNNING:
        return []
    if expired := expire(state, now):
        return [*expired, *_advance(RUN.fold(expired, state), now, policy, overdue)]
    due = [step for step, at in state.retrying.items() if at <= now or step in overdue]
    startable = (*due, *(step for step in state.ready if step != SYNTHESIS or state.synthesis == "llm"))
    if over := budgets.reached(state, startable, now):
        return [over, *_advance(evolve(state, over), now, policy, overdue)]
    affordable = budgets.affordable(state, startable)
    steps = tuple(affordable[: _room(state, policy)])
    if steps:
        return [_started(state, steps, policy)]
    later = len(state.retrying) > len(due)
    if state.running or later or affordable:
        return []
    return _stop(state, now, is_over=not startable)


def _stop(state: State, now: datetime, *, is_over: bool) -> list[Event]:
    """The events of a run without steps that run or may start: it waits for a person, is stopped, or ends.

    `is_over`: whether no step is left.
    """
    worked_ms = budgets.worked_ms(state, now)
    if state.asks.open:
        return [Waiting(until=state.asks.until, worked_ms=worked_ms)]
    if not is_over and state.over_budget:
        return [_stopped(state, state.over_budget.reason, worked_ms)]
    if state.failed:
        return [Suspended(reason=_why_suspended(state), worked_ms=worked_ms)]
    return _finish(state, _elapsed_ms(state, now))


def _started(state: State, steps: tuple[str, ...], policy: RunPolicy) -> StepsStarted:
    """The start of `steps`, with the effects that a takeover needs to know, and the decisions of policy."""
    screened = [(step, policy.screen(state, state.graph.steps[step])) for step in steps]
    known = ((step, effect_of(state, state.graph.steps[step], policy, one.ruling)) for step, one in screened)
    return StepsStarted(
        steps=steps,
        retried=tuple(step for step in steps if step in state.retrying),
        effects={step: effect for step, effect in known if effect is not Effect.ONCE},
        untrusted=tuple(step for step, one in screened if one.untrusted),
        outward={step: one.ruling for step, one in screened if one.ruling},
    )


def _unknown_outcomes(state: State) -> list[Event]:
    """The failures of all attempts in progress that are not repeatable."""
    advice = {"advice": CHECK_FIRST} if state.loop else {}
    return [
        StepFailed(step=step, attempt=attempt, error=unknown_outcome(state.graph.steps[step], **advice))
        for step, attempt in state.running.items()
        if not state.is_repeatable(step)
    ]


def _too_many_takeovers(state: State, policy: RunPolicy) -> str:
    stuck, more = tuple(state.running)[:NAMED], len(state.running) - NAMED
    names = ", ".join(stuck) + (f" and {more} more" if more > 0 else "")
    return f"{policy.max_takeovers} executors in a row died while running it; steps in progress: {names}"


def _room(state: State, policy: RunPolicy) -> int:
    return max(0, policy.parallel - len(state.running))


def _finish(state: State, duration_ms: int) -> list[Event]:
    if state.loop:
        return goal_decisions.finish(state.loop, duration_ms)
    events: list[Event] = []
    if SYNTHESIS not in state.done:
        events.append(StepCompleted(step=SYNTHESIS, result=merged(state.graph, state.done)))
    for_goal = state.goal_id is not None
    ended = Completed(completed_steps=len(state.graph.tasks), duration_ms=duration_ms, for_goal=for_goal)
    return [*events, ended]


def _stopped(state: State, reason: str, worked_ms: int) -> Suspended | Failed:
    """The event that stops a run until it is resumed: a run of a plan is suspended, a goal run fails."""
    if state.loop:
        return Failed(error=reason, worked_ms=worked_ms)
    return Suspended(reason=reason, worked_ms=worked_ms)


def _elapsed_ms(state: State, now: datetime) -> int:
    """Milliseconds since the last start or resume."""
    return max(0, (now - (state.started_at or now)) // timedelta(milliseconds=1))


def _outcome_event(
    state: State, outcome: Outcome, now: datetime, policy: RunPolicy
) -> OutcomeEvent | StepFailed | None:
    if isinstance(outcome, Success):
        event = outcome.event
        return event if state.running.get(event.step) == event.attempt else None
    if state.running.get(outcome.step) != outcome.attempt:
        return None
    spent = outcome.spent or Spent()
    return StepFailed(
        step=outcome.step,
        attempt=outcome.attempt,
        error=outcome.error,
        duration_ms=outcome.duration_ms,
        retry_at=_retry_at(state, outcome, now, policy),
        prompt=outcome.prompt,
        **spent.as_fields,
    )


def _retry_at(state: State, outcome: Failure, now: datetime, policy: RunPolicy) -> datetime | None:
    failures = state.failures.get(outcome.step, 0)
    if not outcome.retryable or failures >= policy.retries:
        return None
    return now + timedelta(seconds=policy.wait_s(failures, outcome.jitter, outcome.retry_after))


def _why_suspended(state: State) -> str:
    (first, error), *others = state.failed.items()
    return f"{error}" if not others else f"{error} (and {len(others)} more failed; first: {first})"
