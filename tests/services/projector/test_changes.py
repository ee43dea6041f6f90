"""The statements that write the changes of a batch."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import create_engine

from contracts.views import run_steps
from contracts.views.base import metadata
from projector.changes import Changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def row(step: str, **values: Any) -> dict[str, Any]:
    texts = ("id", "description", "thought", "action_type", "name", "status")
    numbers = ("number", "attempt", "created_at", "updated_at")
    key = {"run_id": "r1", "step": step}
    return (
        key
        | dict.fromkeys(texts, "")
        | dict.fromkeys(numbers, 1)
        | {"params": {}, "dependencies": []}
        | values
    )


@pytest.fixture
def views(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    file = tmp_path / "views.db"
    engine = create_engine(f"sqlite:///{file}")
    metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(file)) as connection:
        yield connection


def test_rows_of_one_batch_may_have_different_columns(views: sqlite3.Connection) -> None:
    changes = Changes()
    changes.insert(run_steps, row("1"))
    changes.insert(run_steps, row("2", error="broke"))
    assert written(changes, views) == [("1", None), ("2", "broke")]


def test_a_replaced_row_loses_the_values_that_are_not_given(views: sqlite3.Connection) -> None:
    keep = frozenset({"created_at"})
    before, after = Changes(), Changes()
    before.insert(run_steps, row("1", error="broke"))
    after.insert(run_steps, row("1"), keep)
    assert written(before, views) == [("1", "broke")]
    assert written(after, views) == [("1", None)]


def written(changes: Changes, views: sqlite3.Connection) -> list[tuple[str, str | None]]:
    """The steps and their errors after the changes."""
    for statement in changes.statements():
        assert isinstance(statement, tuple)
        prepared, rows = statement
        views.executemany(prepared.sql, prepared.rows(rows))
    return views.execute("SELECT step, error FROM run_steps ORDER BY step").fetchall()
