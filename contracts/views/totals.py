"""The number of rows of each list, by status, and by hour of creation.

Triggers update the numbers, so reads do not count rows.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import DDL, BigInteger, Column, Integer, MetaData, Table, Text, event

totals = Table(
    "totals",
    MetaData(),
    Column("list", Text, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("rows", Integer, nullable=False),
)
"""Created together with the counted tables, and updated by their triggers."""

hourly_totals = Table(
    "hourly_totals",
    MetaData(),
    Column("list", Text, primary_key=True),
    Column("hour", BigInteger, primary_key=True),
    Column("status", Text, primary_key=True),
    Column("rows", Integer, nullable=False),
)
"""Created and updated like `totals`. `hour`: hours since 1970 until the creation of the rows."""

HOUR_MS = 60 * 60 * 1000

_CREATE = (
    "CREATE TABLE IF NOT EXISTS totals ("
    "list TEXT, status TEXT, rows INTEGER NOT NULL, PRIMARY KEY (list, status))"
)
_CREATE_HOURLY = (
    "CREATE TABLE IF NOT EXISTS hourly_totals ("
    "list TEXT, hour INTEGER, status TEXT, rows INTEGER NOT NULL, PRIMARY KEY (list, hour, status)"
    ") WITHOUT ROWID"
)
_ADD = (
    "INSERT INTO totals VALUES ('{name}', {row}.status, {amount}) "
    "ON CONFLICT (list, status) DO UPDATE SET rows = rows + {amount}"
)
_ADD_HOURLY = (
    "INSERT INTO hourly_totals "
    f"VALUES ('{{name}}', {{row}}.created_at / {HOUR_MS}, {{row}}.status, {{amount}}) "
    "ON CONFLICT (list, hour, status) DO UPDATE SET rows = rows + {amount}"
)


def counted(name: str, table: Table, *, when: str, of: Sequence[str]) -> None:
    """Count the rows of `table` that match the SQL condition `when`, in which `{row}` is the row.

    `of`: the status and the columns of the condition.
    """
    _keep(name, table, when, of, _CREATE, _ADD)


def counted_by_hour(name: str, table: Table, *, when: str, of: Sequence[str]) -> None:
    """Count the same rows by the hour in their column `created_at`, which must not change."""
    _keep(name, table, when, of, _CREATE_HOURLY, _ADD_HOURLY, "_by_hour")


def _keep(
    name: str, table: Table, when: str, of: Sequence[str], create: str, add_to: str, suffix: str = ""
) -> None:
    changed = f"UPDATE OF {', '.join(of)}"
    event.listen(table, "after_create", DDL(create))  # type: ignore[no-untyped-call]
    for what, on, row, amount in (
        ("added", "INSERT", "NEW", 1),
        ("removed", "DELETE", "OLD", -1),
        ("changed_from", changed, "OLD", -1),
        ("changed_to", changed, "NEW", 1),
    ):
        trigger = f"CREATE TRIGGER {name}{suffix}_{what} AFTER {on} ON {table.name}"
        add = add_to.format(name=name, row=row, amount=amount)
        made = DDL(f"{trigger} WHEN {when.format(row=row)} BEGIN {add}; END")  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", made)
