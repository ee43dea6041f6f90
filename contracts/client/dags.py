"""Planning, and DAGs."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Unpack

from contracts.api.costs import DagCosts
from contracts.api.dags import DagDeleted, DagList, DagPatch, DagRow, ScheduledDag
from contracts.api.executions import DagExecutionList, ExecutionDetail
from contracts.api.fields import Row
from contracts.api.limits import OwnLimits
from contracts.client.errors import ClarificationRequired, Refused
from contracts.client.executions import EXECUTIONS
from contracts.client.filters import Filters, query
from contracts.client.http import Http, body_as_json, keyed, parse_answer, path
from contracts.core.event import Json
from contracts.domain.agent import PLANNER_AGENT

DAGS = "dags"
PLANNING_LOOK_S = 0.2
AT_ONCE = {"Prefer": "respond-async"}


class Started(Row):
    """A requested execution."""

    execution_id: str
    dag_id: str
    original_request: str
    total_tasks: int


class Dags:
    """Requests about DAGs. Planning raises ClarificationRequired if the model asks a question."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, **filters: Unpack[Filters]) -> DagList:
        """List DAGs, newest first. Default: DAGs that have a plan or a clarification question."""
        return await self._http.get(DagList, path(DAGS), **query(filters))

    async def scheduled(self) -> list[ScheduledDag]:
        """List DAGs with a schedule, active or not."""
        return await self._http.get(list[ScheduledDag], path(DAGS, "scheduled"))

    async def get(self, dag_id: str) -> DagRow:
        """Get a DAG. It exists from the start of planning."""
        return await self._http.get(DagRow, path(DAGS, dag_id))

    async def create(
        self, goal: str, *, agent: str = PLANNER_AGENT, key: str | None = None, **options: Json
    ) -> DagRow:
        """Plan `goal` and wait for the plan. Options are the fields of CreateDag.

        After the server accepts the goal, a broken connection does not interrupt planning.
        """
        accepted = await self._plan("create-dag", goal, agent, key, options)
        return await self._planned(accepted["dagId"])

    async def create_and_execute(
        self, goal: str, *, agent: str = PLANNER_AGENT, key: str | None = None, **options: Json
    ) -> Started:
        """Plan `goal` and request an execution of the plan. Does not wait for the execution."""
        accepted = await self._plan("create-and-execute-dag", goal, agent, key, options)
        await self._planned(accepted["dagId"])
        execution_id = accepted["executionId"]
        execution = await self._http.accepted(ExecutionDetail, path(EXECUTIONS, execution_id))
        return Started(
            execution_id=execution_id,
            dag_id=execution.dag_id,
            original_request=execution.original_request,
            total_tasks=execution.total_tasks,
        )

    async def clarify(self, dag_id: str, answer: str) -> DagRow:
        """Answer the clarification question and wait for the plan."""
        await self._http.call("POST", path(DAGS, dag_id, "clarify"), {"answer": answer}, headers=AT_ONCE)
        return await self._planned(dag_id)

    async def execute(
        self, dag_id: str, *, limits: OwnLimits | None = None, key: str | None = None
    ) -> Started:
        """Request an execution of the plan of a DAG. `limits` are added to those of the plan."""
        return await self._execute({"dagId": dag_id, **body_as_json(limits or OwnLimits())}, key)

    async def execute_job(
        self, job: Mapping[str, Json], *, limits: OwnLimits | None = None, key: str | None = None
    ) -> Started:
        """Request an execution of the caller's own job. `limits` are added to those of the job."""
        return await self._execute({"job": dict(job), **body_as_json(limits or OwnLimits())}, key)

    async def update(self, dag_id: str, changes: DagPatch) -> DagRow:
        """Change a DAG or its schedule."""
        return await self._http.send(DagRow, "PATCH", path(DAGS, dag_id), changes)

    async def delete(self, dag_id: str) -> DagDeleted:
        """Delete a DAG. Raises Refused if it has executions."""
        return await self._http.send(DagDeleted, "DELETE", path(DAGS, dag_id))

    async def executions(
        self, dag_id: str, *, forked_from: str | None = None, **filters: Unpack[Filters]
    ) -> DagExecutionList:
        """List the executions of a DAG, newest first."""
        given = {"forkedFrom": forked_from, **query(filters)}
        return await self._http.get(DagExecutionList, path(DAGS, dag_id, "executions"), **given)

    async def costs(self, dag_id: str) -> DagCosts:
        """Get the costs of a plan and of all its executions."""
        return await self._http.get(DagCosts, path(DAGS, dag_id, "costs"))

    async def _plan(
        self, route: str, goal: str, agent: str, key: str | None, options: Mapping[str, Json]
    ) -> Json:
        body = {"goal-text": goal, "agentName": agent, **options}
        return await self._http.call("POST", path(route), body, headers=AT_ONCE | keyed(key))

    async def _execute(self, body: Json, key: str | None) -> Started:
        return _started(await self._http.call("POST", path("execute-dag"), body, headers=keyed(key)))

    async def _planned(self, dag_id: str) -> DagRow:
        """Wait for the end of planning."""
        while True:
            dag = await self._http.accepted(DagRow, path(DAGS, dag_id))
            if dag.status != "planning":
                break
            await asyncio.sleep(PLANNING_LOOK_S)
        if dag.error:
            raise Refused(dag.error["httpStatus"], dag.error)
        if dag.clarification_query:
            raise ClarificationRequired(dag_id, dag.clarification_query)
        return dag


def _started(answer: Json) -> Started:
    if answer.get("status") == "clarification_required":
        raise ClarificationRequired(answer.get("dagId"), answer["clarification_query"])
    return parse_answer(Started, answer)
