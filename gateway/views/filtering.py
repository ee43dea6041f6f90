"""Conditions of the filters of lists, and full-text queries.

A list has a table of conditions by the names of their parameters. The values of one request select from it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Column, ColumnElement, Table, Text, bindparam, select

from contracts.views import agents
from gateway.views.reader import Reader, Views

Conditions = Mapping[str, ColumnElement[bool]]
Values = Mapping[str, Any]

SLOW = frozenset({"q", "tool", "agent", "min_cost"})
"""Filters that may read many rows to find few: such reads run in a thread."""

_given_agent = bindparam("agent", type_=Text)


def given(**values: Any) -> Values:
    """Return the values of the filters that the client has given."""
    return {name: value for name, value in values.items() if value is not None}


def searched_in(table: Table, text_index: Table) -> Conditions:
    """Return the conditions of text and time, which all lists that can be searched have."""
    return {
        "q": table.c.first_seq.in_(select(text_index.c.rowid).where(matches(text_index))),
        "from_ms": table.c.created_at >= bindparam("from_ms"),
        "to_ms": table.c.created_at <= bindparam("to_ms"),
    }


def of_agent(agent_id: Column[str]) -> ColumnElement[bool]:
    """Whether `agent_id` is the parameter `agent`, or a version of the agent with this name."""
    versions = select(agents.c.id).where(agents.c.name == _given_agent)
    return agent_id.in_(versions.union(select(_given_agent)))


def matches(text_index: Table) -> ColumnElement[bool]:
    """Whether an entry of a full-text index contains the parameter `q`, which `words_of` made."""
    return text_index.c[text_index.name].op("MATCH", is_comparison=True)(bindparam("q"))


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
