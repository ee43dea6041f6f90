"""What all tables share: the version of the set, and how far it includes the log."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, MetaData, String, Table

VIEWS_VERSION = 10

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
"""One row: the version of the views, the stream sequence they include, and how to recognise the log by it:
the SHA-256 of that message, when the stream was made, when an operator last accepted it as it was."""
SUSPECT = ".suspect"
"""Ends the name of an empty file beside the views: a reader met damage, and the projector has to look."""
NEXT = ".next"
"""Ends the name of the file beside the views in which the next ones are built."""
