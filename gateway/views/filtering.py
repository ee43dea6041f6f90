"""Conditions of the filters of lists, and full-text queries.

A list has a table of conditions by the names of their parameters. The values of one request select from it.

Some filters have two conditions. With the usual one, SQLite finds all rows that pass the filter and sorts
them. With the one prefixed by COMMON, it goes through the list in its order and tests each row until the page
is full. That takes less time if MANY rows pass the filter, and much more if few do.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import (
    BindParameter,
    Column,
    ColumnElement,
    CompoundSelect,
    Integer,
    Select,
    Table,
    Text,
    bindparam,
    func,
    literal_column,
    select,
)

from contracts.views import agents
from gateway.views.reader import Reader, Views

Conditions = Mapping[str, ColumnElement[bool]]
Values = Mapping[str, Any]
Probes = Mapping[str, Select[Any]]
"""Whether many rows pass a filter, by the name of its parameter."""

COMMON = "common_"
MANY = 10_000
"""With fewer rows, either condition takes a few hundredths of a second at most."""

SLOW = frozenset({"q", "tool", "agent", "min_cost"})
"""Filters that may read many rows to find few: such reads run in a thread."""

_given_agent = bindparam("agent", type_=Text)


def given(**values: Any) -> Values:
    """Return the values of the filters that the client has given."""
    return {name: value for name, value in values.items() if value is not None}


def searched_in(table: Table, text_index: Table) -> Conditions:
    """Return the conditions of text and time, which all lists that can be searched have."""
    without_index = table.c.first_seq + literal_column("0")
    return {
        "q": table.c.first_seq.in_(_hits(text_index)),
        f"{COMMON}q": without_index.in_(_hits(text_index)),
        "from_ms": table.c.created_at >= bindparam("from_ms"),
        "to_ms": table.c.created_at <= bindparam("to_ms"),
    }


def has_many(rows: Select[Any] | CompoundSelect[Any]) -> Select[Any]:
    """Return a statement for whether `rows` finds MANY rows. It reads no more of them."""
    many: BindParameter[int] = bindparam("many", type_=Integer)
    return select(func.count() == many).select_from(rows.limit(many).subquery())


def text_is_common(text_index: Table) -> Select[Any]:
    """Return a statement for whether many entries of a full-text index contain the parameter `q`."""
    return has_many(_hits(text_index))


async def chosen(reader: Reader, wanted: Values, probes: Probes) -> tuple[str, ...]:
    """Return the names of the conditions for the filters `wanted`."""
    probed = wanted.keys() & probes.keys()
    common = {name for name in probed if await reader.value(probes[name], **wanted, many=MANY)}
    return tuple(f"{COMMON}{name}" if name in common else name for name in wanted)


def of_agent(agent_id: Column[str]) -> ColumnElement[bool]:
    """Whether `agent_id` is the parameter `agent`, or a version of the agent with this name."""
    versions = select(agents.c.id).where(agents.c.name == _given_agent)
    return agent_id.in_(versions.union(select(_given_agent)))


def matches(text_index: Table) -> ColumnElement[bool]:
    """Whether an entry of a full-text index contains the parameter `q`, which `words_of` made."""
    return text_index.c[text_index.name].op("MATCH", is_comparison=True)(bindparam("q"))


def _hits(text_index: Table) -> Select[Any]:
    return select(text_index.c.rowid).where(matches(text_index))


def words_of(text: str | None) -> str | None:
    """Return the FTS5 query for all words of `text`, of which the last may be the beginning of a word.

    Quotes make every word literal: clients cannot use the syntax of FTS5.
    """
    if text is None:
        return None
    return " ".join('"' + word.replace('"', '""') + '"' for word in text.split()) + "*"


@asynccontextmanager
async def reader_for(views: Views, wanted: Values) -> AsyncGenerator[Reader]:
    """Yield the reader for a list with the filters `wanted`.

    Raises:
        ViewsUnavailable: the views cannot be read at the moment.
    """
    if SLOW.isdisjoint(wanted):
        yield views
        return
    async with views.snapshot(long=True) as reader:
        yield reader
