"""Queries for runs in the views, as executions and as runs of goals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, bindparam, func, select

from contracts.domain.run import OPEN
from contracts.views import (
    IS_GOAL_RUN,
    IS_TOOL_CALL,
    IS_UNENDED,
    run_steps,
    runs,
    runs_text,
    totals,
)
from gateway.api.runs.kinds import EXECUTION_COLUMNS, EXECUTIONS, GOAL_RUNS, OF_AGENT, Kind
from gateway.gateway import Gateway
from gateway.views.filtering import (
    COMMON,
    Conditions,
    Probes,
    Values,
    chosen,
    has_many,
    reader_for,
    searched_in,
    text_is_common,
)
from gateway.views.paging import Part, in_order, number_of, page_of
from gateway.views.presenting import columns
from gateway.views.reader import Row

STEP_COLUMNS = columns(run_steps, "step_")
_calls_of_tool = select(run_steps.c.run_id).where(IS_TOOL_CALL, run_steps.c.name == bindparam("tool"))
_is_it = runs.c.id == bindparam("run_id")


_FILTERS: Conditions = {
    **searched_in(runs, runs_text),
    "goal_id": runs.c.goal_id == bindparam("goal_id"),
    "dag_id": runs.c.dag_id == bindparam("dag_id"),
    "forked_from": runs.c.forked_from == bindparam("forked_from"),
    "tool": runs.c.id.in_(_calls_of_tool),
    f"{COMMON}tool": _calls_of_tool.where(run_steps.c.run_id == runs.c.id).exists(),
}
_PROBES: Probes = {
    "q": text_is_common(runs_text),
    "tool": has_many(_calls_of_tool),
    "agent": has_many(OF_AGENT),
}
_COUNTED = {f"{COMMON}agent": "counted_agent"}
"""Conditions that totals use instead of those of pages."""

_STEPS_OF_RUN = (
    select(*EXECUTION_COLUMNS, *STEP_COLUMNS)
    .select_from(runs.outerjoin(run_steps, run_steps.c.run_id == runs.c.id))
    .where(_is_it, EXECUTIONS.belongs)
    .order_by(run_steps.c.number, run_steps.c.position)
)
_STEPS = (
    select(*STEP_COLUMNS)
    .where(run_steps.c.run_id == bindparam("run_id"))
    .order_by(run_steps.c.number, run_steps.c.position)
)
_SEQ = select(runs.c.seq).where(_is_it, EXECUTIONS.belongs)
_STRATEGY = select(runs.c.strategy).where(_is_it, GOAL_RUNS.belongs)
_NUMBER_OF_STEPS = select(func.count()).where(run_steps.c.run_id == bindparam("run_id"))
_AHEAD = select(func.count()).where(IS_UNENDED, IS_GOAL_RUN, runs.c.first_seq < bindparam("seq"))
_OPEN = select(runs.c.id).where(
    IS_GOAL_RUN, runs.c.goal_id == bindparam("goal_id"), runs.c.status.in_([status.value for status in OPEN])
)


async def page(gateway: Gateway, kind: Kind, wanted: Values, part: Part) -> list[Row]:
    """Return a page of runs.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    order = runs.c.created_at if part.by_cursor else _order(kind, wanted)
    async with reader_for(gateway.views, wanted) as reader:
        by = await chosen(reader, wanted, _PROBES)
        statement = _page(kind, by, order, after=bool(part.cursor), counted=False)
        rows = await reader.all(statement, **wanted, **part.parameters)
    return in_order(rows, f"run_{order.name}", "run_id")


async def page_and_total(gateway: Gateway, wanted: Values, part: Part) -> tuple[list[Row], int]:
    """Return a page of executions by offset and the number on all pages, read at the same moment.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    order = _order(EXECUTIONS, wanted)
    async with reader_for(gateway.views, wanted) as reader:
        by = await chosen(reader, wanted, _PROBES)
        statement = _page(EXECUTIONS, by, order, after=False, counted=True)
        rows = await reader.all(statement, **wanted, **part.parameters)
        if rows:
            return in_order(rows, f"run_{order.name}", "run_id"), int(rows[0]["total"] or 0)
        return [], int(await reader.value(_total(EXECUTIONS, by), **wanted) or 0)


async def one(gateway: Gateway, kind: Kind, run_id: str) -> Row | None:
    """Return one run, or None if it does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    return await gateway.views.first(_one(kind), run_id=run_id)


async def seq_of_execution(gateway: Gateway, run_id: str) -> int | None:
    """Return the stream sequence of the last commit of an execution, or None if it does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    seq: int | None = await gateway.views.value(_SEQ, run_id=run_id)
    return seq


async def execution_with_steps(gateway: Gateway, run_id: str) -> Sequence[Row]:
    """Return the steps of one execution in order, each row with the execution's columns, in one read.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    return await gateway.views.all(_STEPS_OF_RUN, run_id=run_id)


async def strategy_of_goal_run(gateway: Gateway, run_id: str) -> str | None:
    """Return the strategy of a run of a goal, or None if the run does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    strategy: str | None = await gateway.views.value(_STRATEGY, run_id=run_id)
    return strategy


async def steps(gateway: Gateway, run_id: str) -> Sequence[Row]:
    """Return the steps of a run in order. The calls of a turn follow the turn.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    return await gateway.views.all(_STEPS, run_id=run_id)


async def number_of_steps(gateway: Gateway, run_id: str) -> int:
    """Return the number of steps of a run.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    return int(await gateway.views.value(_NUMBER_OF_STEPS, run_id=run_id))


async def runs_ahead(gateway: Gateway, seq: int) -> int:
    """Return how many runs of goals requested before `seq`, a position in the log, have not ended.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    return int(await gateway.views.value(_AHEAD, seq=seq))


async def open_runs(gateway: Gateway, goal_id: str) -> list[str]:
    """Return the ids of the runs of a goal that have not ended.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    return [row["id"] for row in await gateway.views.all(_OPEN, goal_id=goal_id)]


def _conditions(kind: Kind, by: tuple[str, ...]) -> list[ColumnElement[bool]]:
    of_kind = {
        "status": kind.status == bindparam("status"),
        "min_cost": kind.cost >= bindparam("min_cost"),
        "agent": kind.agent,
        f"{COMMON}agent": kind.common_agent,
        "counted_agent": kind.counted_agent,
    }
    return [kind.listed, *({**_FILTERS, **of_kind}[name] for name in by)]


def _order(kind: Kind, wanted: Collection[str]) -> Column[int]:
    """Return the order of pages by offset."""
    return (
        kind.order if {"dag_id", "forked_from", "from_ms", "to_ms"}.isdisjoint(wanted) else runs.c.created_at
    )


# Statements are cached: building one takes longer than executing it.


@cache
def _page(kind: Kind, by: tuple[str, ...], order: Column[int], *, after: bool, counted: bool) -> Select[Any]:
    """Return the statement for a page. `counted` adds the total to each row."""
    ids = page_of(order, runs.c.id, _conditions(kind, by), after=after)
    extra = [_total(kind, by).scalar_subquery().label("total")] if counted else []
    return select(*kind.columns, *extra).select_from(kind.source).where(runs.c.id.in_(ids))


@cache
def _total(kind: Kind, by: tuple[str, ...]) -> Select[Any]:
    """Return the statement for a total. It reads stored totals, or counts."""
    if set(by) - {"status"}:
        counted = tuple(_COUNTED.get(name, name) for name in by)
        return number_of(page_of(_order(kind, by), runs.c.id, _conditions(kind, counted), after=False))
    count = select(func.sum(totals.c.rows)).where(totals.c.list == "executions")
    return count.where(kind.status == bindparam("status")) if "status" in by else count


@cache
def _one(kind: Kind) -> Select[Any]:
    return select(*kind.columns).select_from(kind.source).where(_is_it, kind.belongs)
