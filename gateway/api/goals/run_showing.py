"""Reads runs of goals and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import orjson
from sqlalchemy import Text, bindparam, case, cast, func, select

from contracts.core.event import BlobRef, Json
from contracts.domain.prompts.observations import Observed, working_memory
from contracts.views import run_steps
from gateway.api.goals.run_presenters import run_row
from gateway.api.runs import queries
from gateway.api.runs.kinds import GOAL_RUNS
from gateway.gateway import Gateway
from gateway.views.filtering import Values
from gateway.views.paging import Part
from gateway.views.presenting import JsonRow
from gateway.views.reader import Row
from gateway.views.results import stored_text, stored_value

LISTED_CHARS = 4096
"""In lists of runs, a note replaces results longer than this."""
ALL_CHARS = 2**31

_result = cast(run_steps.c.result, Text)
_RESULTS = select(
    run_steps.c.run_id,
    run_steps.c.number,
    run_steps.c.position,
    run_steps.c.name,
    case((func.length(_result) <= bindparam("most"), _result)).label("result"),
    func.length(_result).label("size"),
).where(
    run_steps.c.run_id.in_(bindparam("run_ids", expanding=True)),
    run_steps.c.position.is_not(None),
    run_steps.c.status == "completed",
)


async def listed(gateway: Gateway, wanted: Values, part: Part) -> tuple[list[JsonRow], str | None]:
    """Return a page of runs, newest first, and the cursor of the next page.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    rows = await queries.page(gateway, GOAL_RUNS, wanted, part)
    results = await _results(gateway, [row["run_id"] for row in rows], LISTED_CHARS)
    by_run = {run_id: list(some) for run_id, some in groupby(results, key=lambda row: row["run_id"])}
    shown = [await _run_row(gateway, row, by_run.get(row["run_id"], []), whole=False) for row in rows]
    return shown, part.next(rows, "run_created_at", "run_id")


async def one(gateway: Gateway, run_id: str) -> JsonRow | None:
    """Return one run with all its results, or None if it does not exist.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
        Unavailable: a large result could not be fetched.
    """
    row = await queries.one(gateway, GOAL_RUNS, run_id)
    if row is None:
        return None
    return await _run_row(gateway, row, await _results(gateway, [run_id], ALL_CHARS), whole=True)


async def _results(gateway: Gateway, run_ids: list[str], most: int) -> Sequence[Row]:
    """Return the results of tool calls by run, in the order of the calls."""
    rows = await gateway.views.all(_RESULTS, run_ids=run_ids, most=most) if run_ids else ()
    return sorted(rows, key=lambda row: (row["run_id"], row["number"], row["position"]))


async def _run_row(gateway: Gateway, row: Row, results: Sequence[Row], *, whole: bool) -> JsonRow:
    """Present a run. `whole` includes large results."""
    report = await stored_text(row["report"], gateway.blobs) if row["run_status"] == "completed" else None
    observed = [
        Observed(
            turn=call["number"],
            position=call["position"],
            tool=call["name"],
            arguments={},
            result=await stored_value(call["result"], gateway.blobs) if whole else _listed(call),
        )
        for call in results
    ]
    return run_row(row, working_memory(observed, row["run_summary"] or report))


def _listed(call: Row) -> Json:
    value = None if call["result"] is None else orjson.loads(call["result"])
    ref = BlobRef.of(value)
    if ref is None and call["size"] <= LISTED_CHARS:
        return value
    return f"({ref.size if ref else call['size']} bytes; get the run itself to see them)"
