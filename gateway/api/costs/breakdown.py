"""Costs of plans and executions. Sums are exact."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from sqlalchemy import select

from contracts.api.costs import (
    DagCosts,
    DagExecutionCost,
    DagTotals,
    ExecutionCost,
    ExecutionCosts,
    ExecutionTotals,
    PlanningAttempt,
    PlanningCost,
    StepCost,
    SynthesisCost,
    TokenUsage,
)
from contracts.core.scopes import Scope
from contracts.domain.run.steps import SYNTHESIS
from contracts.views import IS_EXECUTION, dags, planning_attempts, run_steps, runs
from gateway.api.executions.presenters import API_STATUS
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.reader import Reader, Row

TAG = "costs"


@endpoint(
    "GET",
    "/api/v1/dag-executions/{id}/costs",
    summary="Get the costs of an execution and its plan",
    tag=TAG,
    scope=Scope.READ,
    responses={200: ExecutionCosts},
    missing="DAG execution with id '{id}' not found",
)
async def get_execution_costs(call: Call[None, None]) -> web.StreamResponse:
    """Includes the cost of each step. During planning, this is the cost of planning so far."""
    id_ = call.path["id"]
    of_execution = select(run_steps).where(run_steps.c.run_id == id_).order_by(run_steps.c.number)
    async with call.gateway.views.snapshot() as reader:
        row = await reader.first(select(runs).where(runs.c.id == id_, runs.c.strategy == "dag"))
        if row is None:
            raise call.missing()
        steps = await reader.all(of_execution)
        dag_id = row["dag_id"]
        dag = await reader.first(select(dags).where(dags.c.id == dag_id))
        planning = await _planning(reader, dag) if dag else None
    execution = _execution(row, steps)
    planned, executed = (planning and planning.total_cost_usd) or 0, execution.total_cost_usd or 0
    return json_reply(
        ExecutionCosts(
            dag_id=dag_id,
            execution_id=id_,
            planning=planning,
            execution=execution,
            totals=ExecutionTotals(
                planning_cost_usd=planned,
                execution_cost_usd=executed,
                grand_total_cost_usd=planned + executed,
            ),
        )
    )


@endpoint(
    "GET",
    "/api/v1/dags/{id}/costs",
    summary="Get the costs of a plan and all its executions",
    tag=TAG,
    scope=Scope.READ,
    responses={200: DagCosts},
    missing="DAG with id '{id}' not found",
)
async def get_dag_costs(call: Call[None, None]) -> web.StreamResponse:
    """Executions are listed newest first."""
    id_ = call.path["id"]
    of_dag = select(runs).where(IS_EXECUTION, runs.c.dag_id == id_)
    async with call.gateway.views.snapshot(long=True) as reader:
        dag = await reader.first(select(dags).where(dags.c.id == id_))
        if dag is None:
            raise call.missing()
        planning = await _planning(reader, dag)
        rows = await reader.all(of_dag.order_by(runs.c.created_at.desc(), runs.c.id.desc()))
    planned, executed = planning.total_cost_usd or 0, sum(row["cost_pico"] or 0 for row in rows)
    return json_reply(
        DagCosts(
            dag_id=id_,
            planning=planning,
            executions=[_of_dag(row) for row in rows],
            totals=DagTotals(
                planning_cost_usd=planned,
                executions_cost_usd=executed,
                grand_total_cost_usd=planned + executed,
            ),
        )
    )


ENDPOINTS = (get_execution_costs, get_dag_costs)


async def _planning(reader: Reader, dag: Row) -> PlanningCost:
    of_dag = select(planning_attempts).where(planning_attempts.c.dag_id == dag["id"])
    attempts = await reader.all(of_dag.order_by(planning_attempts.c.version))
    unknown = 0 if attempts else None
    return PlanningCost(
        total_usage=TokenUsage.of(dag["planning_prompt_tokens"], dag["planning_completion_tokens"]),
        total_cost_usd=unknown if dag["planning_cost_pico"] is None else dag["planning_cost_pico"],
        attempts=[PlanningAttempt.model_validate(attempt) for attempt in attempts] or None,
    )


def _execution(row: Row, steps: Sequence[Row]) -> ExecutionCost:
    report = next((step for step in steps if step["step"] == SYNTHESIS), None)
    return ExecutionCost(
        total_usage=_usage_of(row),
        total_cost_usd=row["cost_pico"],
        sub_steps=[
            StepCost(
                id=step["id"],
                task_id=step["step"],
                action_type=step["action_type"],
                tool_or_prompt_name=step["name"],
                usage=_usage_of(step),
                cost_usd=step["cost_pico"],
            )
            for step in steps
            if step["step"] != SYNTHESIS
        ],
        synthesis=SynthesisCost(usage=_usage_of(report), cost_usd=report["cost_pico"]) if report else None,
    )


def _of_dag(row: Row) -> DagExecutionCost:
    return DagExecutionCost(
        execution_id=row["id"],
        status=API_STATUS.get(row["status"], row["status"]),
        total_cost_usd=row["cost_pico"],
        started_at=row["started_at"],
        completed_at=row["ended_at"],
    )


def _usage_of(row: Row) -> TokenUsage | None:
    return TokenUsage.of(row["prompt_tokens"], row["completion_tokens"])
