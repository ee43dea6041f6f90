"""How the events of goal runs change the state of a run."""

from __future__ import annotations

from dataclasses import replace

from contracts.core.event import Event
from contracts.domain.run.events import CUT_SHORT, Resumed, StepFailed
from contracts.domain.run.fork_events import Inherited
from contracts.domain.run.goal_events import (
    SUMMARY,
    CallAnswered,
    Failed,
    GoalStarted,
    Summarised,
    TurnTaken,
)
from contracts.domain.run.loop import CallResult, Loop, call_result_of
from contracts.domain.run.state import State, Status
from contracts.domain.run.steps import Graph, Step


def evolve_goal_run(state: State, loop: Loop, event: Event) -> State:  # noqa: PLR0911  one transition a line
    """The state after an event that only goal runs have, or that means something else for them."""
    match event:
        case StepFailed():
            return _step_failed(state, loop, event)
        case Resumed():
            return _resumed(state, loop)
        case Inherited():
            loop = loop.inheriting(event)
            calls = loop.calls() if loop.turns else ()
            fork = state.inheriting(event)._replace(graph=Graph(), ready=())
            return with_ready_steps(fork, loop, *(calls or (loop.next_step(),)))
        case GoalStarted():
            loop = replace(loop, started=event, memories=event.memories)
            return state._replace(
                status=Status.RUNNING, executor=event.executor, started_at=event.at, loop=loop
            )
        case TurnTaken():
            loop, state = loop.with_turn(event), state.having_spent(event, event.step)
            steps = loop.calls() or (loop.next_step(),)
            return _progressed(with_ready_steps(state, loop, *steps), event.step)
        case CallAnswered():
            written = state.having_written(event.step, event.output)
            return _progressed(_answered(written, loop, event.step, call_result_of(event)), event.step)
        case Summarised():
            cut = event.finish_reason in CUT_SHORT
            loop = replace(loop, summary=event.summary, summary_cut=cut)
            return _progressed(state.having_spent(event, SUMMARY)._replace(loop=loop), SUMMARY)
        case Failed():
            failed = state._replace(worked_ms=event.worked_ms)
            return _failed_run(failed, replace(loop, error=event.error))
    return state


def _failed_run(state: State, loop: Loop) -> State:
    """Steps in progress are kept, because a resume continues them. Open questions are withdrawn."""
    ready = (*state.ready, *state.asks.open)
    asks = state.asks.withdrawn()
    return state._replace(status=Status.FAILED, executor=None, loop=loop, ready=ready, asks=asks)


def _resumed(state: State, loop: Loop) -> State:
    """Unfinished steps run again; if there are none, another turn follows the last one.

    Calls with an unknown outcome that are not repeatable stay in progress until an executor starts the run.
    """
    repeatable = [step for step in state.running if state.is_repeatable(step)]
    unknown = {step: attempt for step, attempt in state.running.items() if step not in repeatable}
    again = (*state.ready, *repeatable, *state.retrying)
    loop = loop.resumed()
    resumed = state._replace(
        status=Status.PENDING,
        loop=loop,
        ready=again,
        running=unknown,
        retrying={},
        failures={},
        takeovers=0,
        resumes=state.resumes + 1,
        started_at=None,
        asks=state.asks.without_refusals(),
        over_budget=None,
        lost=state.having_lost(repeatable),
    )
    return resumed if again or unknown else with_ready_steps(resumed, loop, loop.next_step())


def _step_failed(state: State, loop: Loop, event: StepFailed) -> State:
    """The model sees the error of a failed tool call. A failed turn ends the run with an error."""
    if "." in event.step:
        return _answered(state, loop, event.step, CallResult(error=event.error))
    if event.step == SUMMARY:
        return state
    return state._replace(loop=replace(loop, error=event.error))


def _answered(state: State, loop: Loop, step: str, answer: CallResult) -> State:
    loop = loop.with_answer(step, answer)
    return with_ready_steps(state, loop, *((loop.next_step(),) if loop.turns[-1].is_answered else ()))


def with_ready_steps(state: State, loop: Loop, *steps: Step) -> State:
    """The state with further steps that can start now."""
    added = {step.task.id: step for step in steps}
    graph = Graph({**state.graph.steps, **added})
    return state._replace(loop=loop, graph=graph, ready=(*state.ready, *added))


def _progressed(state: State, step: str) -> State:
    return state.without_running(step, takeovers=0)
