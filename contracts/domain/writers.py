"""The table of all services, and of the commands of an operator, and the commits that they write.

The NATS users of a system are made of it (`contracts.runtime.permissions`), and readers of the log check each
commit against it. A service that begins to write something else needs an entry here.
"""

from __future__ import annotations

from contracts.core.writers import Writers, writes
from contracts.domain import agent, dag, goal, key, memory, run, shared_budget, task, webhook
from contracts.domain.schedule import ticks

_ANY_DAG = set(dag.Status) - {dag.Status.ABSENT}
_ANY_GOAL = set(goal.Status) - {goal.Status.ABSENT}

_KEYS = writes((key.Status.ACTIVE, key.Status.REVOKED), key.Created, key.Rotated, key.Revoked, key.BudgetSet)
_BUDGET = writes(
    (shared_budget.Status.OPEN,), shared_budget.Reserved, shared_budget.Settled, shared_budget.Warned
)

GATEWAY = {
    "agent": writes(
        set(agent.Status) - {agent.Status.ABSENT},
        agent.Created,
        agent.Updated,
        agent.Activated,
        agent.Deleted,
    ),
    "budget": _BUDGET,
    "dag": writes(
        _ANY_DAG,
        dag.Requested,
        dag.Clarified,
        dag.Imported,
        dag.Updated,
        dag.ScheduleSet,
        dag.Rejected,  # a client cancels planning
        dag.Deleted,
    ),
    "goal": writes(
        _ANY_GOAL,
        goal.Created,
        goal.Updated,
        goal.Paused,
        goal.Resumed,
        goal.Archived,
        goal.ScheduleAdded,
        goal.ScheduleChanged,
        goal.ScheduleRemoved,
        goal.Deleted,
    ),
    "key": _KEYS,
    "run": writes(
        run.OPEN | {run.Status.CANCELLED, run.Status.DELETED},
        run.Requested,
        run.GoalRequested,
        run.Inherited,
        run.Resumed,
        run.BudgetSet,
        run.Answered,
        run.Cancelled,
        run.Deleted,
    ),
    "task": writes((task.Status.ANSWERED, task.Status.FAILED), task.Answered, task.Failed),
}

PLANNER = {
    "agent": writes((agent.Status.INACTIVE, agent.Status.ACTIVE), agent.Created, agent.Activated),
    "budget": _BUDGET,
    "dag": writes(
        (dag.Status.PLANNING, dag.Status.PLANNED, dag.Status.CLARIFICATION, dag.Status.REJECTED),
        dag.AttemptStarted,
        dag.AttemptMade,
        dag.Planned,
        dag.ClarificationAsked,
        dag.Rejected,
    ),
    "run": writes((run.Status.PENDING, run.Status.CANCELLED), run.Requested, run.Cancelled),
}

EXECUTOR = {
    "budget": _BUDGET,
    "memory": writes(("kept",), memory.Kept),
    "run": writes(
        (
            run.Status.RUNNING,
            run.Status.WAITING,
            run.Status.SUSPENDED,
            run.Status.COMPLETED,
            run.Status.FAILED,
        ),
        run.Started,
        run.TakenOver,
        run.StepsStarted,
        run.StepCompleted,
        run.StepFailed,
        run.Asked,
        run.AskExpired,
        run.Waiting,
        run.Continued,
        run.Suspended,
        run.BudgetWarned,
        run.BudgetReached,
        run.Completed,
        run.GoalStarted,
        run.TurnTaken,
        run.CallAnswered,
        run.Summarised,
        run.Failed,
    ),
    "webhook": writes(
        set(webhook.Status) - {webhook.Status.ABSENT},
        webhook.Requested,
        webhook.Delivered,
        webhook.AttemptFailed,
    ),
}

SCHEDULER = {
    "dag": writes((dag.Status.REQUESTED, dag.Status.REJECTED), dag.Requested, dag.Rejected),
    "run": writes(
        (run.Status.PENDING, run.Status.CANCELLED),
        run.Requested,
        run.GoalRequested,
        run.Cancelled,
        run.AskExpired,
    ),
    "schedule": writes(ticks.Decision, ticks.Ticked, ticks.Amended, ticks.Rewound),
}

WRITERS: Writers = {
    "gateway": GATEWAY,
    "planner": PLANNER,
    "executor": EXECUTOR,
    "scheduler": SCHEDULER,
    "projector": {},
    "operator": {"key": _KEYS},
}
