"""What all tables share: the version of the set, and how far it includes the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, Table

VIEWS_VERSION = 9

metadata = MetaData()

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
)
"""One row: the version of the views and the stream sequence they include."""
