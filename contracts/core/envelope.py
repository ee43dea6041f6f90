"""The attributes of a stored event that describe its commit."""

from __future__ import annotations

from typing import NotRequired

from pydantic import ConfigDict, PositiveInt, TypeAdapter
from typing_extensions import TypedDict  # pydantic needs this one before Python 3.12


class Envelope(TypedDict):
    """The attributes of a commit, read from its first event."""

    __pydantic_config__ = ConfigDict(strict=True, extra="ignore")  # type: ignore[misc]  # pydantic reads it

    commit: str
    type: str
    subject: str
    state: str
    version: PositiveInt
    time: str
    source: str
    correlationid: str
    causationid: NotRequired[str | None]
    actor: NotRequired[str | None]
    traceparent: NotRequired[str | None]
    snapshot: NotRequired[str | None]
    began: NotRequired[str | None]


ENVELOPE = TypeAdapter(Envelope)
"""Validates an envelope. It takes half of the time of a model."""
