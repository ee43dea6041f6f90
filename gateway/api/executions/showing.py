"""Reads executions, with or without their steps, and lists of them."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from contracts.domain.run.steps import SYNTHESIS
from gateway.api.executions.presenters import execution_row, sub_step_row
from gateway.api.runs import queries
from gateway.api.runs.kinds import EXECUTIONS
from gateway.gateway import Gateway
from gateway.views.filtering import Values
from gateway.views.paging import Part
from gateway.views.presenting import JsonRow, pagination, pagination_by_cursor
from gateway.views.reader import Row
from gateway.views.results import stored_text


async def listed(gateway: Gateway, wanted: Values, part: Part) -> tuple[list[JsonRow], JsonRow]:
    """Return a page of executions, and its position in the list.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    if part.by_cursor:
        rows = await queries.page(gateway, EXECUTIONS, wanted, part)
        following = part.next(rows, "run_created_at", "run_id")
        return await _rows(gateway, rows), pagination_by_cursor(part.limit, len(rows), following)
    rows, total = await queries.page_and_total(gateway, wanted, part)
    return await _rows(gateway, rows), pagination(part.limit, part.offset, len(rows), total)


async def _rows(gateway: Gateway, rows: Sequence[Row]) -> list[JsonRow]:
    return [execution_row(row, await stored_text(row["report"], gateway.blobs)) for row in rows]


async def one(gateway: Gateway, execution_id: str) -> JsonRow | None:
    """Return one execution, or None if it does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    row = await queries.one(gateway, EXECUTIONS, execution_id)
    return None if row is None else execution_row(row, await stored_text(row["report"], gateway.blobs))


async def detail(gateway: Gateway, execution_id: str) -> orjson.Fragment | None:
    """Return one execution and its steps as JSON. The JSON is cached until the execution changes.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    seq = await queries.seq_of_execution(gateway, execution_id)
    if kept := gateway.execution_cache.get(execution_id, seq):
        return orjson.Fragment(kept)
    shown = await with_steps(gateway, execution_id)
    if shown is None:
        return None
    json = orjson.dumps(shown)
    gateway.execution_cache.put(execution_id, shown["seq"], json)
    return orjson.Fragment(json)


async def with_steps(gateway: Gateway, execution_id: str) -> JsonRow | None:
    """Return one execution and its steps, read at the same moment.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    rows = await queries.execution_with_steps(gateway, execution_id)
    if not rows:
        return None
    steps = [await sub_step_row(row, gateway.blobs) for row in rows if row["step_id"]]
    report = steps[-1]["result"] if steps and steps[-1]["taskId"] == SYNTHESIS else None
    return {**execution_row(rows[0], report), "subSteps": steps}
