"""Statements as SQLite takes them, each for many rows.

SQLAlchemy writes the SQL. Its work on each row would cost as much as SQLite's own, so this module puts the
values of the rows in order itself.
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
"""Before the name of a column: the parameter that is added to it."""
KEY = "key_"
"""Before the name of a column of the primary key: the parameter that it is compared with."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """SQL text, and the parameters it takes in the order of their places."""

    sql: str
    parameters: tuple[str, ...]
    as_json: frozenset[str]
    """Parameters that are stored as JSON; None is NULL."""

    def rows(self, rows: Sequence[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
        """The values of `rows`, by name, in order; a name that a row lacks is NULL."""
        return [tuple([self._stored(name, row.get(name)) for name in self.parameters]) for row in rows]

    def _stored(self, name: str, value: Any) -> Any:
        return value if value is None or name not in self.as_json else orjson.dumps(value).decode()


@cache
def insert_into(table: Table, keep: frozenset[str] = frozenset()) -> Prepared:
    """Adds a row; with `keep`, replaces a row that is there, except for these columns."""
    statement = sqlite.insert(table)
    if keep:
        replaced = [
            column.name for column in table.columns if not column.primary_key and column.name not in keep
        ]
        statement = statement.on_conflict_do_update(
            index_elements=table.primary_key.columns,
            set_={name: statement.excluded[name] for name in replaced},
        )
    return _prepared(table, statement, tuple(column.name for column in table.columns))


@cache
def update_of(table: Table, values: frozenset[str], sums: frozenset[str]) -> Prepared:
    """Sets the columns `values` and adds to the columns `sums`, of which NULL counts as 0."""
    added = {name: func.coalesce(table.c[name], literal_column("0")) + bindparam(ADD + name) for name in sums}
    where = [column == bindparam(KEY + column.name) for column in table.primary_key.columns]
    return _prepared(table, update(table).where(*where).values(added), tuple(sorted(values)))


def _prepared(table: Table, statement: Insert | Update, columns: Sequence[str]) -> Prepared:
    compiled = statement.compile(dialect=_DIALECT, column_keys=list(columns))
    as_json = frozenset(column.name for column in table.columns if isinstance(column.type, JSON))
    return Prepared(str(compiled), tuple(compiled.positiontup or ()), as_json)
