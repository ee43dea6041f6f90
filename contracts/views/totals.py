"""The number of rows of each list, by status. Triggers update the numbers, so reads do not count rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import DDL, Column, Integer, MetaData, Table, Text, event

totals = Table(
    "totals",
    MetaData(),
    Column("list", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("rows", Integer, nullable=False),
)
"""Created together with the counted tables, and updated by their triggers."""

_COLUMNS = "list TEXT, status TEXT, rows INTEGER NOT NULL, PRIMARY KEY (list, status)"
_CREATE = f"CREATE TABLE IF NOT EXISTS totals ({_COLUMNS})"
_ADD = (
    "INSERT INTO totals VALUES ('{name}', {row}.status, {amount}) "
    "ON CONFLICT (list, status) DO UPDATE SET rows = rows + {amount}"
)


def counted(name: str, table: Table, *, when: str, of: Sequence[str]) -> None:
    """Count the rows of `table` that match the SQL condition `when`, in which `{row}` is the row.

    `of`: the status and the columns of the condition.
    """
    changed = f"UPDATE OF {', '.join(of)}"
    event.listen(table, "after_create", DDL(_CREATE))  # type: ignore[no-untyped-call]
    for what, on, row, amount in (
        ("added", "INSERT", "NEW", 1),
        ("removed", "DELETE", "OLD", -1),
        ("changed_from", changed, "OLD", -1),
        ("changed_to", changed, "NEW", 1),
    ):
        trigger = f"CREATE TRIGGER {name}_{what} AFTER {on} ON {table.name} WHEN {when.format(row=row)}"
        add = _ADD.format(name=name, row=row, amount=amount)
        made = DDL(f"{trigger} BEGIN {add}; END")  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", made)
