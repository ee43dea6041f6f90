"""A batch's changes to the views, gathered row by row so that each statement runs once for many rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table
from sqlalchemy.sql import Delete, Update

from projector.prepared import ADD, KEY, Prepared, insert_into, update_of

Row = dict[str, Any]
Key = tuple[Any, ...]
Statement = tuple[Prepared, Sequence[Row]] | Update | Delete
"""One for many rows, by the names of its parameters; or one that says itself which rows it is about."""


@dataclass(slots=True)
class _Change:
    """What happens to one row: a whole new row, or values to set and amounts to add."""

    new: Row | None = None
    set: Row = field(default_factory=dict)
    add: dict[str, int] = field(default_factory=dict)


class Changes:
    """Gathers inserts, updates and deletes by primary key; later ones are merged into earlier ones."""

    def __init__(self) -> None:
        self._rows: dict[Table, dict[Key, _Change]] = {}
        self._flushed: list[Statement] = []

    def insert(self, table: Table, row: Row) -> None:
        """A new row; columns not given are NULL."""
        self._change(table, _key_of(table, row)).new = row

    def update(
        self, table: Table, key: Key, values: Row, add: Mapping[str, int | None] | None = None
    ) -> None:
        """Set `values` and add `add` in the row with primary key `key`; NULL counts as 0."""
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
        """A statement over many rows, after all changes so far and before all to come."""
        self._flushed = [*self.statements(), statement]
        self._rows = {}

    def statements(self) -> list[Statement]:
        """Everything gathered, as statements to execute in order."""
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
            new = [change.new for change in changes.values() if change.new is not None]
            if new:
                yield insert_into(table), new
            alike: dict[Prepared, list[Row]] = {}
            for key, change in changes.items():
                if change.new is None:
                    statement = update_of(table, frozenset(change.set), frozenset(change.add))
                    alike.setdefault(statement, []).append(_parameters(table, key, change))
            yield from alike.items()


def _add(row: Row, amounts: Mapping[str, int | None]) -> None:
    """NULL and absent count as 0."""
    for column, amount in amounts.items():
        if amount is not None:
            row[column] = (row.get(column) or 0) + amount


def _key_of(table: Table, row: Row) -> Key:
    return tuple(row[column.name] for column in table.primary_key.columns)


def _parameters(table: Table, key: Key, change: _Change) -> Row:
    row = {KEY + column.name: value for column, value in zip(table.primary_key.columns, key, strict=True)}
    row.update(change.set)
    for column, amount in change.add.items():
        row[ADD + column] = amount
    return row
