"""Lists, shows and answers questions of runs to a person."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

from aiohttp import web
from sqlalchemy import Select, bindparam, select

from contracts.api.asks import AskAnswer, AskAnswered, AskList, AskQuery, AskRow
from contracts.core.actors import ANONYMOUS
from contracts.core.scopes import Scope
from contracts.domain import run
from contracts.domain.run import RUN
from contracts.runtime.stream import transact
from contracts.views import asks
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply
from gateway.views.filtering import given
from gateway.views.paging import Part, link, page_of

TAG = "asks"
MISSING = "Ask not found"

_ONE = select(asks).where(asks.c.id == bindparam("ask_id"))


@endpoint(
    "GET",
    "/api/v1/asks",
    summary="List questions to a person, newest first",
    tag=TAG,
    scope=Scope.READ,
    query=AskQuery,
    responses={200: AskList},
    invalid="Invalid query parameters",
)
async def list_asks(call: Call[None, AskQuery]) -> web.StreamResponse:
    """A run asks a person to approve a tool call, or to answer a question. `status=open` lists what waits."""
    query = call.query
    part = Part(query.limit, 0, query.cursor)
    wanted = given(status=query.status, run_id=query.run_id)
    statement = _page(tuple(wanted), after=bool(query.cursor))
    rows = await call.gateway.views.all(statement, **wanted, **part.parameters)
    following = part.next(rows, "asked_at")
    page = AskList(asks=[AskRow.model_validate(dict(row)) for row in rows], next_cursor=following)
    return json_reply(page, headers=link(call.request.url, following))


@endpoint(
    "GET",
    "/api/v1/asks/{ask}",
    summary="Get a question to a person",
    tag=TAG,
    scope=Scope.READ,
    responses={200: AskRow},
    missing=MISSING,
)
async def get_ask(call: Call[None, None]) -> web.StreamResponse:
    """Gets what is asked, with which parameters, why, and the answer."""
    row = await call.gateway.views.first(_ONE, ask_id=call.path["ask"])
    if row is None:
        raise call.missing()
    return json_reply(AskRow.model_validate(dict(row)))


@endpoint(
    "POST",
    "/api/v1/asks/{ask}/answer",
    summary="Answer a question of a run",
    tag=TAG,
    scope=Scope.APPROVE,
    body=AskAnswer,
    responses={200: AskAnswered},
    missing=MISSING,
    errors={
        400: "The body is invalid, or the answer does not fit the question.",
        409: "The question was answered, has expired, or was withdrawn.",
    },
)
async def answer_ask(call: Call[AskAnswer, None]) -> web.StreamResponse:
    """Only the first answer counts: the next one is refused and told who answered. The run goes on at once.

    Edited `params` and the `value` are validated by the `answerSchema` of the question before anything is
    stored. The same answer may be sent again by the same principal.
    """
    run_id, step, attempt = run.parse_ask_id(call.path["ask"])
    by = call.origin.actor or ANONYMOUS
    decide = partial(
        run.answer, step=step, attempt=attempt, given=call.body.given, by=by, now=call.gateway.clock()
    )
    stream = await transact(call.gateway.log, RUN, run_id, decide, call.origin)
    await call.gateway.projected(stream.seq)
    return json_reply(AskAnswered(id=call.path["ask"], run_id=run_id, verdict=call.body.verdict))


ENDPOINTS = (list_asks, get_ask, answer_ask)


@cache
def _page(by: tuple[str, ...], *, after: bool) -> Select[Any]:
    wanted = [asks.c[name] == bindparam(name) for name in by]
    return page_of(asks.c.asked_at, asks.c.id, wanted, after=after).with_only_columns(*asks.c)
