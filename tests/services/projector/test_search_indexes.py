"""The triggers of the full-text indexes, fired by the statements of the projector."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Float, Integer, create_engine

from contracts.views.base import metadata
from contracts.views.dag import dags
from contracts.views.goal import goals
from contracts.views.run import runs
from projector.prepared import insert_into

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Table


@pytest.mark.parametrize("table", [runs, goals, dags], ids=lambda table: table.name)
def test_a_row_may_be_replaced_again_before_its_change_is_indexed(table: Table, tmp_path: Path) -> None:
    """The conflict clause of the statement applies inside the trigger, too."""
    file = tmp_path / "views.db"
    engine = create_engine(f"sqlite:///{file}")
    metadata.create_all(engine)
    engine.dispose()
    row = {
        column.name: 7 if isinstance(column.type, (Integer, Float)) else "" for column in table.columns
    } | {"id": "1"}
    texts = row.keys() & {"objective", "goal_text", "request"}
    statement = insert_into(table, frozenset(row), keep=frozenset({"first_seq"}))
    with closing(sqlite3.connect(file)) as connection:
        for text in ("first", "second", "third"):
            connection.executemany(statement.sql, statement.rows([row | dict.fromkeys(texts, text)]))
        noted = connection.execute(f"SELECT row FROM {table.name}_text_changed").fetchall()
    assert noted == [(7,)]
