"""The columns of tables, by type of row, most important first. The last column may be long: it wraps."""

from __future__ import annotations

from contracts.api import (
    agents,
    asks,
    attempts,
    budgets,
    compare,
    costs,
    dags,
    executions,
    experiments,
    goals,
    keys,
    run_counts,
    runs,
    schedules,
    search,
    shared_budgets,
    tools,
)

COLUMNS: dict[type, tuple[str, ...]] = {
    goals.ListedGoal: ("id", "status", "schedules.cronExpr", "agent.name", "createdAt", "objective"),
    goals.MemoryRow: ("type", "createdAt", "metadata.runId", "content"),
    runs.RunRow: (
        "id",
        "status",
        "outcomeReason",
        "stepsExecuted",
        "totalCostUsd",
        "createdAt",
        "goal.objective",
    ),
    runs.RunStepRow: ("stepNo", "type", "toolCalls.toolName", "durationMs", "costUsd", "content"),
    runs.ToolCallRow: ("toolName", "status", "durationMs", "error"),
    runs.RunOutputRow: ("kind", "createdAt", "inherited", "pathOrPayload"),
    budgets.LimitRow: ("limit", "allowed", "spent", "left"),
    asks.AskRow: ("id", "kind", "status", "tool", "askedAt", "title"),
    dags.DagRow: ("id", "status", "agentName", "cronSchedule", "createdAt", "dagTitle"),
    dags.ScheduledDag: ("id", "cron_schedule", "schedule_active", "schedule_description", "dag_title"),
    executions.ExecutionRow: ("id", "status", "completedTasks", "totalTasks", "createdAt", "originalRequest"),
    executions.DagExecutionRow: ("id", "status", "completedTasks", "totalTasks", "createdAt", "totalCostUsd"),
    executions.SubStepRow: ("taskId", "status", "toolOrPromptName", "attempt", "durationMs", "description"),
    attempts.StepAttempt: ("number", "outcome", "executor", "startedAt", "durationMs", "costUsd", "error"),
    compare.StepComparison: (
        "step",
        "a.status",
        "b.status",
        "a.durationMs",
        "b.durationMs",
        "a.costUsd",
        "b.costUsd",
        "result.verdict",
    ),
    run_counts.PeriodCounts: (
        "date",
        "executions.total",
        "executions.completed",
        "executions.failed",
        "runs.total",
        "runs.completed",
        "runs.failed",
    ),
    search.Hit: ("id", "kind", "status", "at", "title", "snippet"),
    experiments.Experiment: ("dagId", "model", "temperature", "success", "error"),
    agents.AgentRow: ("id", "name", "version", "active", "provider", "createdAt", "model"),
    keys.KeyRow: (
        "id",
        "name",
        "status",
        "expiresAt",
        "createdAt",
        "budgetUsdPerDay",
        "budgetUsdPerMonth",
        "scopes",
    ),
    shared_budgets.HolderBudget: (
        "name",
        "day.allowed",
        "day.spent",
        "day.left",
        "month.allowed",
        "month.spent",
        "month.left",
    ),
    tools.ToolDefinition: ("function.name", "function.description"),
    schedules.ScheduleRow: ("id", "cronExpr", "timezone", "active", "lastRunAt", "overlap"),
    schedules.NextTicks: ("scheduleId", "cronExpr", "timezone", "next", "description"),
    schedules.TickRow: ("tick", "decision", "runId", "reason"),
    costs.PeriodCost: ("date", "planningCostUsd", "executionCostUsd", "totalCostUsd"),
    costs.StepCost: ("taskId", "toolOrPromptName", "usage.totalTokens", "costUsd"),
    costs.DagExecutionCost: ("executionId", "status", "totalCostUsd", "completedAt"),
    costs.PlanningAttempt: ("attempt", "reason", "usage.totalTokens", "costUsd", "errorMessage"),
}

HEADINGS = {"agent.name": "agent"}
"""Headings of columns whose last part alone would mislead."""

NULLS: dict[tuple[type, str], str] = {(shared_budgets.PeriodUse, "allowed"): "no limit"}
"""What a null means that a record shows, by type of row and key. Other nulls are omitted."""

LISTS: dict[type, str] = {
    asks.AskList: "asks",
    dags.DagList: "dags",
    executions.ExecutionList: "executions",
    executions.DagExecutionList: "executions",
    executions.SubStepList: "sub_steps",
    schedules.TickList: "ticks",
    experiments.ExperimentsCompleted: "results",
    search.HitList: "hits",
    attempts.StepAttempts: "attempts",
    run_counts.RunCounts: "summary",
}
"""Answers that contain a list, and the field of the list."""
