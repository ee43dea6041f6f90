"""The columns of tables, by type of row, most important first. The last column may be long: it wraps."""

from __future__ import annotations

from contracts.api import (
    agents,
    asks,
    costs,
    dags,
    executions,
    experiments,
    goals,
    keys,
    runs,
    schedules,
    search,
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
    runs.RunOutputRow: ("kind", "createdAt", "pathOrPayload"),
    asks.AskRow: ("id", "kind", "status", "tool", "askedAt", "title"),
    dags.DagRow: ("id", "status", "agentName", "cronSchedule", "createdAt", "dagTitle"),
    dags.ScheduledDag: ("id", "cron_schedule", "schedule_active", "schedule_description", "dag_title"),
    executions.ExecutionRow: ("id", "status", "completedTasks", "totalTasks", "createdAt", "originalRequest"),
    executions.DagExecutionRow: ("id", "status", "completedTasks", "totalTasks", "createdAt", "totalCostUsd"),
    executions.SubStepRow: ("taskId", "status", "toolOrPromptName", "attempt", "durationMs", "description"),
    search.Hit: ("id", "kind", "status", "at", "title", "snippet"),
    experiments.Experiment: ("dagId", "model", "temperature", "success", "error"),
    agents.AgentRow: ("id", "name", "version", "active", "provider", "createdAt", "model"),
    keys.KeyRow: ("id", "name", "status", "expiresAt", "createdAt", "scopes"),
    tools.ToolDefinition: ("function.name", "function.description"),
    schedules.ScheduleRow: ("id", "cronExpr", "timezone", "active", "lastRunAt", "overlap"),
    schedules.NextTicks: ("scheduleId", "cronExpr", "timezone", "next", "description"),
    schedules.TickRow: ("tick", "decision", "runId", "reason"),
    costs.PeriodCost: ("date", "planningCostUsd", "executionCostUsd", "totalCostUsd"),
    costs.StepCost: ("taskId", "toolOrPromptName", "usage.totalTokens", "costUsd"),
    costs.DagExecutionCost: ("executionId", "status", "totalCostUsd", "completedAt"),
    costs.PlanningAttempt: ("attempt", "reason", "usage.totalTokens", "costUsd", "errorMessage"),
}

LISTS: dict[type, str] = {
    asks.AskList: "asks",
    dags.DagList: "dags",
    executions.ExecutionList: "executions",
    executions.DagExecutionList: "executions",
    executions.SubStepList: "sub_steps",
    schedules.TickList: "ticks",
    experiments.ExperimentsCompleted: "results",
    search.HitList: "hits",
}
"""Answers that contain a list, and the field of the list."""
