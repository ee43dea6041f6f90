"""Proof that the views are what the log says: fold it afresh and compare every row."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from contracts.runtime.log import Log
from contracts.views import metadata
from projector.database import Database
from projector.projector import build, views_fold


@dataclass(frozen=True)
class Difference:
    """Rows of one table that only one side has."""

    table: str
    only_in_views: int
    only_in_log: int


@dataclass(frozen=True)
class Verdict:
    """What a comparison found, at one position of the log."""

    seq: int
    rows: int
    differences: tuple[Difference, ...]


async def verify(source: Log, views: Path) -> Verdict:
    """Compare a snapshot of the views with a fresh fold of the log up to the snapshot's position.

    Raises:
        FileNotFoundError: there are no views.
    """
    if not views.exists():
        raise FileNotFoundError(views)
    with TemporaryDirectory(dir=views.parent) as directory:
        snapshot, fresh = Path(directory) / "snapshot.db", Path(directory) / "fresh.db"
        async with Database.open(views) as database, database.engine.connect() as connection:
            await connection.execute(text("VACUUM INTO :path"), {"path": str(snapshot)})
        async with Database.open(snapshot) as database:
            _, seq = await database.position()
            await build(source, fresh, views_fold(), up_to=seq)
            return await _compare(database, fresh, seq)


async def _compare(database: Database, fresh: Path, seq: int) -> Verdict:
    differences, rows = [], 0
    async with database.engine.connect() as connection:
        await connection.execute(text("ATTACH DATABASE :path AS fresh"), {"path": str(fresh)})
        for table in metadata.sorted_tables:
            name = f'"{table.name}"'
            counts = []
            for ours, theirs in (("main", "fresh"), ("fresh", "main")):
                query = (
                    f"SELECT count(*) FROM (SELECT * FROM {ours}.{name} EXCEPT SELECT * FROM {theirs}.{name})"
                )
                counts.append((await connection.execute(text(query))).scalar_one())
            rows += (await connection.execute(text(f"SELECT count(*) FROM main.{name}"))).scalar_one()
            if any(counts):
                differences.append(Difference(table.name, *counts))
    return Verdict(seq, rows, tuple(differences))
