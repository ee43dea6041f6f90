"""Executions of DAGs."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Unpack

from contracts.api.attempts import StepAttempts, StepPrompt
from contracts.api.budgets import BudgetChange, RunBudget
from contracts.api.costs import ExecutionCosts
from contracts.api.executions import (
    CancelExecution,
    ExecutionDeleted,
    ExecutionDetail,
    ExecutionList,
    ExecutionResumed,
    ExecutionRow,
    SubStepList,
)
from contracts.api.forks import Forked, ForkRun, ResumeDag, StepFork
from contracts.client.events import ExecutionEvent, message_data
from contracts.client.filters import Filters, query
from contracts.client.http import Http, parse_answer, path

EXECUTIONS = "dag-executions"


class Executions:
    """Requests about executions."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(self, *, forked_from: str | None = None, **filters: Unpack[Filters]) -> ExecutionList:
        """List executions, most recently changed first; with `since`, `until` or `cursor`, newest first."""
        given = {"forkedFrom": forked_from, **query(filters)}
        return await self._http.get(ExecutionList, path(EXECUTIONS), **given)

    async def get(self, execution_id: str) -> ExecutionDetail:
        """Get an execution with its steps."""
        return await self._http.get(ExecutionDetail, path(EXECUTIONS, execution_id))

    async def steps(self, execution_id: str) -> SubStepList:
        """List the steps. The synthesis is the last step."""
        return await self._http.get(SubStepList, path(EXECUTIONS, execution_id, "sub-steps"))

    async def attempts(self, execution_id: str, step: str) -> StepAttempts:
        """List the attempts at a step, oldest first. `step` is its id in the plan."""
        asked = path(EXECUTIONS, execution_id, "steps", step, "attempts")
        return await self._http.get(StepAttempts, asked)

    async def prompt(self, execution_id: str, step: str, attempt: int | None = None) -> StepPrompt:
        """Get what an attempt at a step sent to the model. Default: the last attempt that asked one."""
        asked = path(EXECUTIONS, execution_id, "steps", step, "prompt")
        return await self._http.get(StepPrompt, asked, attempt=attempt)

    async def costs(self, execution_id: str) -> ExecutionCosts:
        """Get the costs of an execution, of its steps and of its plan."""
        return await self._http.get(ExecutionCosts, path(EXECUTIONS, execution_id, "costs"))

    async def cancel(self, execution_id: str, reason: str | None = None) -> ExecutionRow:
        """Cancel an execution. Cancelling it again changes nothing."""
        body = CancelExecution() if reason is None else CancelExecution(reason=reason)
        return await self._http.send(ExecutionRow, "POST", path(EXECUTIONS, execution_id, "cancel"), body)

    async def resume(self, execution_id: str, *, key: str | None = None) -> ExecutionResumed:
        """Resume a suspended execution where it stopped."""
        asked = path("resume-dag", execution_id)
        return await self._http.send(ExecutionResumed, "POST", asked, key=key)

    async def correct(
        self, execution_id: str, steps: Mapping[str, StepFork], *, key: str | None = None
    ) -> Forked:
        """Replace a suspended execution by a fork with corrected steps."""
        corrections = ResumeDag(steps=dict(steps))
        return await self._http.send(Forked, "POST", path("resume-dag", execution_id), corrections, key=key)

    async def fork(self, execution_id: str, changes: ForkRun, *, key: str | None = None) -> Forked:
        """Start an execution that inherits every completed step that is not downstream of a change.

        Calling it again with the same key starts nothing twice.
        """
        return await self._http.send(Forked, "POST", path(EXECUTIONS, execution_id, "fork"), changes, key=key)

    async def budget(self, execution_id: str) -> RunBudget:
        """Get what an execution may spend, what it has spent, and what is left."""
        return await self._http.get(RunBudget, path(EXECUTIONS, execution_id, "budget"))

    async def set_budget(self, execution_id: str, change: BudgetChange) -> RunBudget:
        """Change limits of an execution. An execution that its budget suspended goes on."""
        return await self._http.send(RunBudget, "POST", path(EXECUTIONS, execution_id, "budget"), change)

    async def delete(self, execution_id: str) -> ExecutionDeleted:
        """Delete an execution. An execution in progress is cancelled first."""
        return await self._http.send(ExecutionDeleted, "DELETE", path(EXECUTIONS, execution_id))

    async def events(self, execution_id: str, *, after: int | None = None) -> AsyncGenerator[ExecutionEvent]:
        """Stream the state of an execution and then its events. `after=0` starts with its first event.

        Broken connections are reopened. The stream ends when the caller stops reading; see
        ExecutionEvent.is_last.
        """
        messages = self._http.follow(path(EXECUTIONS, execution_id, "events"), after)
        async with aclosing(messages):
            async for message in messages:
                yield parse_answer(ExecutionEvent, message_data(message))
