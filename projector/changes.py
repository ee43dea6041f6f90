"""Collects the changes of the views for a batch of commits, so that one statement changes many rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table
from sqlalchemy.sql import Delete, Update

from projector.prepared import ADD, KEY, PreparedStatement, insert_into, key_columns, update_of

Row = dict[str, Any]
Key = tuple[Any, ...]
NOTHING: frozenset[str] = frozenset()
Statement = tuple[PreparedStatement, Sequence[Row]] | Update | Delete
"""A prepared statement and its rows by parameter name; or a statement with its own WHERE clause."""


@dataclass(slots=True)
class _Change:
    """The change of one row: an insert, or values to set and amounts to add."""

    new: Row | None = None
    keep: frozenset[str] = NOTHING
    set: Row = field(default_factory=dict)
    add: dict[str, int] = field(default_factory=dict)


class Changes:
    """Inserts and updates by primary key. A later change of a row is merged into the earlier one."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Key, _Change]] = {}
        self._flushed: list[Statement] = []

    def insert(self, table: Table, row: Row, keep: frozenset[str] = NOTHING) -> None:
        """Insert a row; columns not given are NULL.

        With `keep`, an existing row with the same primary key is replaced, except for these columns.
        """
        change = self._change(table, _key_of(table, row))
        if change.new is None:
            change.new, change.keep = row, keep
        else:
            change.new = row | {name: value for name, value in change.new.items() if name in keep}

    def update(
        self, table: Table, key: Key, values: Row, add: Mapping[str, int | None] | None = None
    ) -> None:
        """Set `values` and add the amounts `add` in the row with primary key `key`; NULL counts as 0."""
        change = self._change(table, key)
        if change.new is not None:
            change.new.update(values)
            _add(change.new, add or {})
            return
        change.set.update(values)
        for column in values.keys() & change.add.keys():
            del change.add[column]
        in_set = {column: amount for column, amount in (add or {}).items() if column in change.set}
        _add(change.set, in_set)
        _add(change.add, {column: amount for column, amount in (add or {}).items() if column not in in_set})

    def execute(self, statement: Update | Delete) -> None:
        """Execute a statement after all changes so far and before all later ones."""
        self._flushed += (*self._row_statements(), statement)
        self._rows = {}

    def statements(self) -> list[Statement]:
        """All changes as statements, to be executed in this order."""
        return [*self._flushed, *self._row_statements()]

    def _change(self, table: Table, key: Key) -> _Change:
        rows = self._rows.get(table)
        if rows is None:
            rows = self._rows[table] = {}
        change = rows.get(key)
        if change is None:
            change = rows[key] = _Change()
        return change

    def _row_statements(self) -> Iterator[Statement]:
        for table, changes in self._rows.items():
            new: dict[PreparedStatement, list[Row]] = {}
            changed: dict[PreparedStatement, list[Row]] = {}
            for key, change in changes.items():
                if change.new is not None:
                    statement = insert_into(table, frozenset(change.new), change.keep)
                    new.setdefault(statement, []).append(change.new)
                    continue
                statement = update_of(table, frozenset(change.set), frozenset(change.add))
                changed.setdefault(statement, []).append(_parameters(table, key, change))
            yield from new.items()
            yield from changed.items()


def _add(row: Row, amounts: Mapping[str, int | None]) -> None:
    """Add amounts to a row; NULL and missing values count as 0."""
    for column, amount in amounts.items():
        if amount is not None:
            row[column] = (row.get(column) or 0) + amount


def _key_of(table: Table, row: Row) -> Key:
    return tuple([row[name] for name in key_columns(table)])


def _parameters(table: Table, key: Key, change: _Change) -> Row:
    row = {KEY + name: value for name, value in zip(key_columns(table), key, strict=True)}
    row.update(change.set)
    for column, amount in change.add.items():
        row[ADD + column] = amount
    return row
