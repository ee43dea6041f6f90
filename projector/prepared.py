"""Prepared SQLite statements, each executed for many rows.

SQLAlchemy generates the SQL. This module binds the values itself, because SQLAlchemy takes as much time for
each row as SQLite does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
from sqlalchemy import JSON, Table, bindparam, func, literal_column, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.sql import Insert, Update

_DIALECT = sqlite.dialect(paramstyle="qmark")

ADD = "add_"
"""Prefix of the parameter with the amount to add to a column."""
KEY = "key_"
"""Prefix of the parameter with the value of a primary key column."""


@dataclass(frozen=True, slots=True)
class PreparedStatement:
    """SQL text and the names of its parameters in order."""

    sql: str
    parameters: tuple[str, ...]
    as_json: tuple[int, ...]
    """Positions of the parameters that are stored as JSON; None is stored as NULL."""

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[list[Any]]:
        """Convert rows to lists in the order of the parameters. Missing values are NULL."""
        return [self._stored(list(map(row.get, self.parameters))) for row in rows]

    def _stored(self, values: list[Any]) -> list[Any]:
        for position in self.as_json:
            if values[position] is not None:
                values[position] = orjson.dumps(values[position]).decode()
        return values


@cache
def insert_into(table: Table, given: frozenset[str], keep: frozenset[str] = frozenset()) -> PreparedStatement:
    """A statement that inserts a row with the columns `given`; the others are NULL.

    With `keep`, it replaces an existing row except for these columns.
    """
    statement = sqlite.insert(table)
    if keep:
        replaced = [
            column.name for column in table.columns if not column.primary_key and column.name not in keep
        ]
        statement = statement.on_conflict_do_update(
            index_elements=table.primary_key.columns,
            set_={name: statement.excluded[name] for name in replaced},
        )
    return _prepared(table, statement, [one.name for one in table.columns if one.name in given])


@cache
def key_columns(table: Table) -> tuple[str, ...]:
    """The names of the columns of the primary key."""
    return tuple(column.name for column in table.primary_key.columns)


@cache
def update_of(table: Table, values: frozenset[str], sums: frozenset[str]) -> PreparedStatement:
    """A statement that sets the columns `values` and adds to the columns `sums`; NULL counts as 0."""
    added = {name: func.coalesce(table.c[name], literal_column("0")) + bindparam(ADD + name) for name in sums}
    where = [table.c[name] == bindparam(KEY + name) for name in key_columns(table)]
    return _prepared(table, update(table).where(*where).values(added), tuple(sorted(values)))


def _prepared(table: Table, statement: Insert | Update, columns: Sequence[str]) -> PreparedStatement:
    compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns))
    names = tuple(compiled.positiontup or ())
    json_columns = {column.name for column in table.columns if isinstance(column.type, JSON)}
    as_json = tuple(position for position, name in enumerate(names) if name in json_columns)
    return PreparedStatement(str(compiled), names, as_json)
