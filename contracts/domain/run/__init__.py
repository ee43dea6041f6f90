"""A run: one execution, from its request to its end, possibly on several executors in turn.

A run executes a plan, or an agent works on a goal in turns; both have the same lifecycle and guarantees. The
gateway, planner and scheduler write requested, goal_requested, resumed, cancelled and deleted; the executor
writes the other events. Questions to a person are asked by the executor, answered through the gateway, and
expire by the scheduler if the run waits.
"""

from __future__ import annotations

from contracts.domain.outward import OutwardCalls, Ruling, strictest
from contracts.domain.run.ask_decisions import (
    ANSWERABLE,
    Answer,
    AskClosed,
    InvalidAnswer,
    UnknownAsk,
    answer,
    ask_id,
    expire,
    parse_ask_id,
)
from contracts.domain.run.ask_events import (
    Answered,
    Asked,
    AskExpired,
    AskKind,
    Continued,
    Verdict,
    Waiting,
)
from contracts.domain.run.asks import refusal
from contracts.domain.run.attempts import (
    CompletionEvent,
    Failure,
    Outcome,
    OutcomeEvent,
    RunPolicy,
    Screening,
    Success,
)
from contracts.domain.run.budget_events import BudgetReached, BudgetSet, BudgetWarned
from contracts.domain.run.budgets import BudgetRefused, exceeded, set_budget, used
from contracts.domain.run.decisions import (
    AlreadyFinished,
    cancel,
    delete,
    give_up,
    go_on,
    request,
    retries,
    settle,
    start,
    start_goal,
    take_over,
)
from contracts.domain.run.events import (
    Cancelled,
    Completed,
    Deleted,
    ForkedFrom,
    OutcomeReason,
    Output,
    Requested,
    Resumed,
    Started,
    StepCompleted,
    StepFailed,
    StepsStarted,
    Suspended,
    TakenOver,
)
from contracts.domain.run.evolve import RUN, evolve
from contracts.domain.run.fork_changes import Changes, Given, InvalidFork, StepChange
from contracts.domain.run.fork_events import Inherited, InheritedAnswer, InheritedStep, InheritedTurn
from contracts.domain.run.forking import fork, replace
from contracts.domain.run.goal_decisions import NO_SUMMARY
from contracts.domain.run.goal_events import (
    SUMMARY,
    AgentUsed,
    Call,
    CallAnswered,
    Failed,
    GoalRequested,
    GoalStarted,
    Summarised,
    TurnTaken,
    call_step,
)
from contracts.domain.run.loop import CallResult, Loop, Turn
from contracts.domain.run.resuming import CannotResume, resume
from contracts.domain.run.state import OPEN, Kind, State, Status, UnknownRun, require_known

__all__ = [
    "RUN",
    "State",
    "Kind",
    "Status",
    "OPEN",
    "evolve",
    "Requested",
    "Started",
    "StepsStarted",
    "StepCompleted",
    "StepFailed",
    "TakenOver",
    "Suspended",
    "Resumed",
    "Cancelled",
    "Completed",
    "Deleted",
    "GoalRequested",
    "GoalStarted",
    "TurnTaken",
    "CallAnswered",
    "Summarised",
    "Failed",
    "AgentUsed",
    "Call",
    "Output",
    "OutcomeReason",
    "Loop",
    "Turn",
    "CallResult",
    "SUMMARY",
    "NO_SUMMARY",
    "call_step",
    "UnknownRun",
    "CannotResume",
    "AlreadyFinished",
    "Asked",
    "Answered",
    "AskExpired",
    "Waiting",
    "Continued",
    "AskKind",
    "Verdict",
    "Answer",
    "UnknownAsk",
    "AskClosed",
    "InvalidAnswer",
    "answer",
    "expire",
    "ask_id",
    "parse_ask_id",
    "ANSWERABLE",
    "refusal",
    "CompletionEvent",
    "OutcomeEvent",
    "Success",
    "Failure",
    "Outcome",
    "RunPolicy",
    "Screening",
    "BudgetReached",
    "BudgetSet",
    "BudgetWarned",
    "BudgetRefused",
    "exceeded",
    "set_budget",
    "used",
    "OutwardCalls",
    "Ruling",
    "strictest",
    "request",
    "start",
    "start_goal",
    "take_over",
    "settle",
    "give_up",
    "go_on",
    "resume",
    "retries",
    "cancel",
    "delete",
    "require_known",
    "Changes",
    "StepChange",
    "Given",
    "InvalidFork",
    "ForkedFrom",
    "Inherited",
    "InheritedStep",
    "InheritedTurn",
    "InheritedAnswer",
    "fork",
    "replace",
]
