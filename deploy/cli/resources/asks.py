"""`async-agent asks`."""

from __future__ import annotations

from typing import Annotated

import typer

from contracts.api.asks import AskAnswer, AskAnswered, AskList, AskRow, AskStatus
from contracts.client import Client
from deploy.cli.resources.command import body, command, group, json_of, object_of

app = group(__name__)

Id = Annotated[str, typer.Argument(help="Id of the question.")]
Comment = Annotated[str | None, typer.Option(help="A reason, which is stored.")]


@command(app, "list")
async def find(
    client: Client,
    status: Annotated[
        AskStatus | None, typer.Option(help="Only questions with this status, such as open.")
    ] = None,
    run: Annotated[str | None, typer.Option(help="Only questions of the run with this id.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Maximum number of questions.")] = 50,
    cursor: Annotated[str | None, typer.Option(help="Cursor of the page, from the previous one.")] = None,
) -> AskList:
    """List questions to a person, newest first."""
    return await client.asks.find(status=status, run_id=run, limit=limit, cursor=cursor)


@command(app, "show")
async def get(client: Client, ask: Id) -> AskRow:
    """Show a question: what is asked, with which parameters, why, and the answer."""
    return await client.asks.get(ask)


@command(app, "approve")
async def approve(
    client: Client,
    ask: Id,
    params: Annotated[str | None, typer.Option(help="All parameters as edited, as a JSON object.")] = None,
    comment: Comment = None,
) -> AskAnswered:
    """Approve a tool call."""
    edited = None if params is None else object_of(params, "--params")
    return await client.asks.answer(ask, _answer("approve", params=edited, comment=comment))


@command(app, "reject")
async def reject(client: Client, ask: Id, comment: Comment = None) -> AskAnswered:
    """Reject a tool call or a question. The step fails; the comment is its error."""
    return await client.asks.answer(ask, _answer("reject", comment=comment))


@command(app, "answer")
async def answer(
    client: Client,
    ask: Id,
    text: Annotated[str | None, typer.Argument(help="The answer as text.")] = None,
    json: Annotated[str | None, typer.Option("--value", help="The answer as JSON, instead of text.")] = None,
    comment: Comment = None,
) -> AskAnswered:
    """Answer a question."""
    value = text if json is None else json_of(json, "--value")
    return await client.asks.answer(ask, _answer("answer", value=value, comment=comment))


def _answer(verdict: str, **given: object) -> AskAnswer:
    return body(AskAnswer, verdict=verdict, **given)
