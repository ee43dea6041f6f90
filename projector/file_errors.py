"""The errors of a views file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import exc

from contracts.core.user_error import UserError

PASSING = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
"""Primary error codes of SQLite that do not mean that the file is damaged."""
PRIMARY = 0xFF
"""Bit mask of the primary code in an error code."""


class FileReplaced(Exception):
    """The file was deleted or replaced."""


class Damaged(Exception):
    """The file does not contain what the projector wrote to it."""


class Inaccessible(UserError):
    """The file cannot be written or read now: the disk is full or fails, or access is denied.

    The last transaction has not changed the file. The same may succeed later.
    """


@contextmanager
def sqlite_errors() -> Iterator[None]:
    """Raise SQLite's errors as Inaccessible or Damaged."""
    try:
        yield
    except (sqlite3.DatabaseError, exc.DatabaseError) as error:
        cause = error.orig if isinstance(error, exc.DatabaseError) else error
        code = getattr(cause, "sqlite_errorcode", None)
        if code is None:
            raise
        if code & PRIMARY in PASSING:
            raise Inaccessible(str(cause)) from error
        raise Damaged(str(cause)) from error
