"""`async-agent executions`."""

from __future__ import annotations

from typing import Annotated, Unpack

import typer

from contracts.api.attempts import StepAttempts, StepPrompt
from contracts.api.budgets import RunBudget
from contracts.api.costs import ExecutionCosts
from contracts.api.executions import (
    ExecutionDeleted,
    ExecutionDetail,
    ExecutionList,
    ExecutionResumed,
    ExecutionRow,
    SubStepList,
)
from contracts.api.forks import Forked
from contracts.api.limits import OwnLimits
from contracts.client import Client, Started
from deploy.cli.execute import execute
from deploy.cli.options import (
    DEFAULT_URL,
    AsJson,
    AskBefore,
    Attempt,
    BudgetLimits,
    ForkedFrom,
    Key,
    OutwardCalls,
    Reason,
    Url,
)
from deploy.cli.resources import changes
from deploy.cli.resources.budgets import Seconds, Steps, Tokens, Usd, change_of
from deploy.cli.resources.command import body, command, group, json_of, text_in
from deploy.cli.resources.filters import ListOptions
from deploy.cli.resources.limits import limits_of
from deploy.cli.watch.follow import watched

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Id of the execution.")]


@command(app, "list")
async def find(
    client: Client, forked_from: ForkedFrom = None, **filters: Unpack[ListOptions]
) -> ExecutionList:
    """List executions, most recently changed first."""
    return await client.executions.find(forked_from=forked_from, **filters)


@command(app, "show")
async def show(client: Client, execution: Id) -> ExecutionDetail:
    """Show an execution, its report and its steps."""
    return await client.executions.get(execution)


@command(app, "steps")
async def steps(client: Client, execution: Id) -> SubStepList:
    """List the steps of an execution. The last step is the synthesis."""
    return await client.executions.steps(execution)


@command(app, "attempts")
async def attempts(
    client: Client,
    execution: Id,
    step: Annotated[str, typer.Argument(help="Id of the step in the plan, or __SYNTHESIS__.")],
) -> StepAttempts:
    """List the attempts at a step, oldest first."""
    return await client.executions.attempts(execution, step)


@command(app, "prompt")
async def prompt(
    client: Client,
    execution: Id,
    step: Annotated[str, typer.Argument(help="Id of the step in the plan, or __SYNTHESIS__.")],
    attempt: Attempt = None,
) -> StepPrompt:
    """Show exactly what an attempt at a step sent to the model."""
    return await client.executions.prompt(execution, step, attempt)


@command(app, "create")
async def create(
    client: Client,
    job: Annotated[
        typer.FileBinaryRead, typer.Argument(help="File with the plan as JSON; `-` reads standard input.")
    ],
    ask_before: AskBefore = None,
    outward_calls: OutwardCalls = None,
    limits: BudgetLimits = None,
) -> Started:
    """Start an execution of your own plan. Does not wait for it to end. Limits are added to its own."""
    own = body(OwnLimits, **limits_of(ask_before, outward_calls, limits))
    return await client.dags.execute_job(json_of(text_in(job), job.name), limits=own)


@command(app, "cancel")
async def cancel(client: Client, execution: Id, reason: Reason = None) -> ExecutionRow:
    """Cancel an execution."""
    return await client.executions.cancel(execution, reason)


@command(app, "resume")
async def resume(
    client: Client,
    execution: Id,
    params: changes.Params = None,
    result: changes.Result = None,
    instruct: changes.Instruct = None,
    agent_of: changes.AgentOf = None,
) -> ExecutionResumed | Forked:
    """Resume a suspended execution where it stopped. With corrected steps, a fork replaces it."""
    if steps := changes.steps_of(params, result, instruct, agent_of):
        return await client.executions.correct(execution, steps)
    return await client.executions.resume(execution)


@command(app, "fork")
async def fork(  # noqa: PLR0913, PLR0917  each is an option
    client: Client,
    execution: Id,
    start: changes.From = None,
    params: changes.Params = None,
    result: changes.Result = None,
    instruct: changes.Instruct = None,
    agent_of: changes.AgentOf = None,
    agent: changes.AnyAgent = None,
    provider: changes.Provider = None,
    model: changes.Model = None,
    limits: BudgetLimits = None,
    replace: changes.Replace = False,
    idempotency_key: changes.ForkKey = None,
) -> Forked:
    """Start an execution that inherits every completed step that is not downstream of a change."""
    steps = changes.steps_of(params, result, instruct, agent_of)
    wanted = changes.fork_of(
        start, steps, limits, agent=agent, provider=provider, model=model, replace=replace or None
    )
    return await client.executions.fork(execution, wanted, key=idempotency_key)


@command(app, "budget")
async def budget(
    client: Client,
    execution: Id,
    usd: Usd = None,
    tokens: Tokens = None,
    seconds: Seconds = None,
    steps: Steps = None,
) -> RunBudget:
    """Show the budget of an execution, or change limits. An execution that its budget suspended goes on."""
    change = change_of(usd, tokens, seconds, steps)
    if change:
        return await client.executions.set_budget(execution, change)
    return await client.executions.budget(execution)


@command(app, "delete")
async def delete(client: Client, execution: Id) -> ExecutionDeleted:
    """Delete an execution. An execution in progress is cancelled first."""
    return await client.executions.delete(execution)


@command(app, "costs")
async def costs(client: Client, execution: Id) -> ExecutionCosts:
    """Show the costs of an execution and its plan."""
    return await client.executions.costs(execution)


@app.command()
def watch(execution: Id, url: Url = DEFAULT_URL, api_key: Key = None, as_json: AsJson = False) -> None:
    """Watch an execution. Exit status: 0 completed, 1 failed or suspended, 2 not reachable."""
    raise typer.Exit(execute(watched(url, api_key, execution, as_json=as_json)))
