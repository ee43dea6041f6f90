"""The version of the tables, and their position in the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

VIEWS_VERSION = 20

metadata = MetaData()

checkpoint = Table(
    "checkpoint",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("digest", String, nullable=False, server_default=""),
    Column("log_created", String, nullable=False, server_default=""),
    Column("log_accepted", String, nullable=False, server_default=""),
)
"""One row: the version of the views, the last included stream sequence, and the identity of the log: the
SHA-256 of the message at that sequence, the creation time of the stream, and the last time that an operator
accepted the log."""
SUSPECT = ".suspect"
"""Suffix of an empty file beside the views: a reader found damage, and the projector must check the views."""
NEXT = ".next"
"""Suffix of the file beside the views in which the next version is built."""
