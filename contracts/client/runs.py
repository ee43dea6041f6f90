"""Runs of goals."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Unpack

from contracts.api.attempts import StepAttempts, StepPrompt
from contracts.api.budgets import BudgetChange, RunBudget
from contracts.api.executions import CancelExecution
from contracts.api.forks import Forked, ForkRun
from contracts.api.run_counts import Period, RunCounts
from contracts.api.runs import RunOutputRow, RunResumed, RunRow, RunStepRow
from contracts.client.events import RunEvent, message_data
from contracts.client.filters import Filters, query
from contracts.client.http import Http, parse_answer, path

RUNS = "runs"


class Runs:
    """Requests about runs of goals."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def find(
        self, *, goal_id: str | None = None, forked_from: str | None = None, **filters: Unpack[Filters]
    ) -> list[RunRow]:
        """List runs, newest first. The cursor of the next page is the `Cursor` of the last row."""
        given = {"goalId": goal_id, "forkedFrom": forked_from}
        return await self._http.get(list[RunRow], path(RUNS), **given, **query(filters))

    async def get(self, run_id: str) -> RunRow:
        """Get a run with the results of its tool calls."""
        return await self._http.get(RunRow, path(RUNS, run_id))

    async def steps(self, run_id: str) -> list[RunStepRow]:
        """List the turns of a run, or the steps of its plan."""
        return await self._http.get(list[RunStepRow], path(RUNS, run_id, "steps"))

    async def outputs(self, run_id: str) -> list[RunOutputRow]:
        """List the outputs of a run: files, webhooks, e-mails, the summary."""
        return await self._http.get(list[RunOutputRow], path(RUNS, run_id, "outputs"))

    async def attempts(self, run_id: str, step: str) -> StepAttempts:
        """List the attempts at a turn (`3`), a tool call (`3.0`), or a step of the plan, oldest first."""
        return await self._http.get(StepAttempts, path(RUNS, run_id, "steps", step, "attempts"))

    async def prompt(self, run_id: str, step: str, attempt: int | None = None) -> StepPrompt:
        """Get what an attempt at a turn (`3`) or another step sent to the model.

        Default: the last attempt that asked one.
        """
        asked = path(RUNS, run_id, "steps", step, "prompt")
        return await self._http.get(StepPrompt, asked, attempt=attempt)

    async def counts(
        self, *, since: str | None = None, until: str | None = None, by: Period | None = None
    ) -> RunCounts:
        """Count executions and runs by status, and by the hour or day of their request.

        `since` and `until` are times as in `Client.costs`.
        """
        given = {"from": since, "to": until, "groupBy": by}
        return await self._http.get(RunCounts, path(RUNS, "summary"), **given)

    async def cancel(self, run_id: str, reason: str | None = None) -> RunRow:
        """Cancel a run. Cancelling it again changes nothing."""
        body = None if reason is None else CancelExecution(reason=reason)
        return await self._http.send(RunRow, "POST", path(RUNS, run_id, "cancel"), body)

    async def resume(self, run_id: str) -> RunResumed:
        """Resume a run that failed, is suspended, or ended with failed calls."""
        return await self._http.send(RunResumed, "POST", path(RUNS, run_id, "resume"))

    async def fork(self, run_id: str, changes: ForkRun, *, key: str | None = None) -> Forked:
        """Start a run that inherits what `changes` do not concern. See `Executions.fork`."""
        return await self._http.send(Forked, "POST", path(RUNS, run_id, "fork"), changes, key=key)

    async def budget(self, run_id: str) -> RunBudget:
        """Get what a run may spend, what it has spent, and what is left."""
        return await self._http.get(RunBudget, path(RUNS, run_id, "budget"))

    async def set_budget(self, run_id: str, change: BudgetChange) -> RunBudget:
        """Change limits of a run. A run that its budget stopped goes on."""
        return await self._http.send(RunBudget, "POST", path(RUNS, run_id, "budget"), change)

    async def delete(self, run_id: str) -> None:
        """Delete a run. A run in progress is cancelled first."""
        await self._http.call("DELETE", path(RUNS, run_id))

    async def events(self, run_id: str, *, after: int | None = None) -> AsyncGenerator[RunEvent]:
        """Stream the state of a run and then its events. `after=0` starts with its first event.

        Broken connections are reopened. The stream ends when the caller stops reading; see RunEvent.is_last.
        """
        messages = self._http.follow(path(RUNS, run_id, "events"), after)
        async with aclosing(messages):
            async for message in messages:
                yield parse_answer(RunEvent, message_data(message))
