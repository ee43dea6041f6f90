"""`async-agent runs`."""

from __future__ import annotations

from typing import Annotated, Unpack

import typer

from contracts.api.attempts import StepAttempts, StepPrompt
from contracts.api.budgets import RunBudget
from contracts.api.forks import Forked
from contracts.api.run_counts import Period, RunCounts
from contracts.api.runs import RunOutputRow, RunResumed, RunRow, RunStepRow
from contracts.client import Client
from deploy.cli.execute import execute
from deploy.cli.options import (
    DEFAULT_URL,
    AsJson,
    Attempt,
    BudgetLimits,
    ForkedFrom,
    Key,
    Reason,
    Since,
    Until,
    Url,
)
from deploy.cli.resources import changes
from deploy.cli.resources.budgets import Seconds, Steps, Tokens, Usd, change_of
from deploy.cli.resources.command import command, group
from deploy.cli.resources.filters import ListOptions
from deploy.cli.watch.follow import watched

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Id of the run.")]


@command(app, "list")
async def find(
    client: Client,
    goal: Annotated[str | None, typer.Option(help="Show only runs of the goal with this id.")] = None,
    forked_from: ForkedFrom = None,
    **filters: Unpack[ListOptions],
) -> list[RunRow]:
    """List runs, newest first."""
    return await client.runs.find(goal_id=goal, forked_from=forked_from, **filters)


@command(app, "show")
async def show(client: Client, run: Id) -> RunRow:
    """Show a run and the results of its tools."""
    return await client.runs.get(run)


@command(app, "steps")
async def steps(client: Client, run: Id) -> list[RunStepRow]:
    """List the turns of the agent, or the steps of the plan."""
    return await client.runs.steps(run)


@command(app, "attempts")
async def attempts(
    client: Client,
    run: Id,
    step: Annotated[str, typer.Argument(help="A turn (3), a tool call (3.0), or a step of the plan.")],
) -> StepAttempts:
    """List the attempts at a step, oldest first."""
    return await client.runs.attempts(run, step)


@command(app, "prompt")
async def prompt(
    client: Client,
    run: Id,
    step: Annotated[str, typer.Argument(help="A turn (3), summary, or a step of the plan.")],
    attempt: Attempt = None,
) -> StepPrompt:
    """Show exactly what an attempt at a step sent to the model."""
    return await client.runs.prompt(run, step, attempt)


@command(app, "summary")
async def summary(
    client: Client,
    since: Since = None,
    until: Until = None,
    by: Annotated[Period | None, typer.Option(help="Count by hour or day.")] = None,
) -> RunCounts:
    """Count executions and runs by status, and by the hour or day of their request."""
    return await client.runs.counts(since=since, until=until, by=by)


@command(app, "outputs")
async def outputs(client: Client, run: Id) -> list[RunOutputRow]:
    """List the outputs of a run: files, e-mails, webhooks, the summary."""
    return await client.runs.outputs(run)


@command(app, "cancel")
async def cancel(client: Client, run: Id, reason: Reason = None) -> RunRow:
    """Cancel a run."""
    return await client.runs.cancel(run, reason)


@command(app, "resume")
async def resume(client: Client, run: Id) -> RunResumed:
    """Resume a run that failed, is suspended, or ended with failed calls."""
    return await client.runs.resume(run)


@command(app, "fork")
async def fork(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    run: Id,
    start: changes.From = None,
    params: changes.Params = None,
    result: changes.Result = None,
    instruct: changes.Instruct = None,
    agent_of: changes.AgentOf = None,
    instruction: Annotated[str | None, typer.Option(help="The new objective of the agent.")] = None,
    agent: changes.AnyAgent = None,
    provider: changes.Provider = None,
    model: changes.Model = None,
    step_budget: Annotated[
        int | None, typer.Option(help="Maximum number of turns, with the inherited ones.")
    ] = None,
    limits: BudgetLimits = None,
    replace: changes.Replace = False,
    idempotency_key: changes.ForkKey = None,
) -> Forked:
    """Start a run that inherits the turns, or steps, that the changes do not concern."""
    steps = changes.steps_of(params, result, instruct, agent_of)
    wanted = changes.fork_of(
        start,
        steps,
        limits,
        instruction=instruction,
        agent=agent,
        provider=provider,
        model=model,
        stepBudget=step_budget,
        replace=replace or None,
    )
    return await client.runs.fork(run, wanted, key=idempotency_key)


@command(app, "budget")
async def budget(
    client: Client,
    run: Id,
    usd: Usd = None,
    tokens: Tokens = None,
    seconds: Seconds = None,
    steps: Steps = None,
) -> RunBudget:
    """Show the budget of a run, or change limits. A run that its budget stopped goes on."""
    change = change_of(usd, tokens, seconds, steps)
    return await (client.runs.set_budget(run, change) if change else client.runs.budget(run))


@command(app, "delete")
async def delete(client: Client, run: Id) -> None:
    """Delete a run. A run in progress is cancelled first."""
    await client.runs.delete(run)


@app.command()
def watch(run: Id, url: Url = DEFAULT_URL, api_key: Key = None, as_json: AsJson = False) -> None:
    """Watch a run. Exit status: 0 completed, 1 failed or suspended, 2 not reachable."""
    raise typer.Exit(execute(watched(url, api_key, run, as_json=as_json)))
