"""The full-text indexes of runs, goals and DAGs.

Triggers note which rows change. Moving the checkpoint, the last change of a transaction, brings the indexes
up to date in the order of their rows: FTS5 writes a new part of the index to disk for each step back.

The triggers cannot use INSERT OR IGNORE: the conflict clause of the firing statement applies in them, too.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import DDL, Column, MetaData, Table, Text, event

from contracts.views.base import checkpoint, metadata

WORDS = "unicode61 remove_diacritics 2 categories ''L* N* Co So''"
"""The tokenizer: words in any case, with or without accents. Emoji are words, too."""


def searchable(name: str, table: Table, *columns: str) -> Table:
    """Return the full-text index `name` of the text `columns` of `table`.

    The table has an index of its `first_seq`. The `rowid` of an entry is the `first_seq` of its row, so
    entries are in the order of creation.
    """
    for statement in _statements(name, table.name, columns):
        event.listen(metadata, "after_create", DDL(statement))  # type: ignore[no-untyped-call]
    return Table(name, MetaData(), *(Column(column, Text) for column in ("rowid", *columns, name)))


def _statements(name: str, table: str, columns: tuple[str, ...]) -> Iterator[str]:
    """Yield the statements that create the index, the table of changed rows, and the triggers."""
    texts = ", ".join(columns)
    yield f"CREATE VIRTUAL TABLE {name} USING fts5({texts}, columnsize=0, tokenize='{WORDS}')"
    yield f"CREATE TABLE {name}_changed (row INTEGER PRIMARY KEY)"
    is_changed = " OR ".join(f"OLD.{column} IS NOT NEW.{column}" for column in columns)
    for what, on, row in (
        ("added", f"INSERT ON {table}", "NEW"),
        ("removed", f"DELETE ON {table}", "OLD"),
        ("replaced", f"UPDATE OF {texts} ON {table} WHEN {is_changed}", "NEW"),
    ):
        noted = f"EXISTS (SELECT 1 FROM {name}_changed WHERE row = {row}.first_seq)"
        note = f"INSERT INTO {name}_changed SELECT {row}.first_seq WHERE NOT {noted}"
        yield f"CREATE TRIGGER {name}_{what} AFTER {on} BEGIN {note}; END"
    changed = f"SELECT row FROM {name}_changed"
    yield (
        f"CREATE TRIGGER {name}_up_to_date AFTER UPDATE OF seq ON {checkpoint.name} BEGIN "
        f"DELETE FROM {name} WHERE rowid IN ({changed}); "
        f"INSERT INTO {name}(rowid, {texts}) SELECT first_seq, {texts} FROM {table} "
        f"WHERE first_seq IN ({changed}) ORDER BY first_seq; "
        f"DELETE FROM {name}_changed; END"
    )
