"""Checks a whole views file for damage while it is in use."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

from projector.database import Database
from projector.file_errors import Damaged, sqlite_errors

OK = "ok"


async def inspect(database: Database) -> None:
    """Run `PRAGMA quick_check` in a thread. It takes seconds per gigabyte.

    Raises:
        Damaged: the file is damaged; the message is the result of the check.
        FileReplaced: the file was deleted during the check.
    """
    try:
        with sqlite_errors(), closing(_opened(database.path)) as connection:
            found = await _in_thread(connection)
    except sqlite3.OperationalError:
        database.check()
        raise
    if found != OK:
        raise Damaged(found)


def _opened(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path.absolute()))}?mode=ro", uri=True, check_same_thread=False)


async def _in_thread(connection: sqlite3.Connection) -> str:
    def check() -> str:
        (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        return str(found)

    checking = asyncio.ensure_future(asyncio.to_thread(check))
    try:
        return await asyncio.shield(checking)
    except asyncio.CancelledError:
        connection.interrupt()
        await asyncio.wait([checking])
        checking.exception()
        raise
