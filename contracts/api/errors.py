"""Answers that say no. `error` is always a text at the top; what else there is depends on who says it."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from contracts.api.fields import Row


class Issue(Row):
    """One thing that is wrong with the input; further keys depend on the code, as in Zod 3."""

    model_config = ConfigDict(extra="allow")

    code: str
    path: list[str | int]
    """Where in the input."""
    message: str
    """What to change."""


class Refused(Row):
    """The request was understood and cannot be granted."""

    model_config = ConfigDict(extra="allow")

    error: str
    """What is wrong, and what to do."""


class InvalidInput(Refused):
    """Something in the body or the query is not as it must be."""

    validation_errors: Annotated[list[Issue], Field(alias="validation_errors")]


class Turned(Row):
    """The request did not get as far as being understood."""

    status_code: int
    error: str
    """Name of the status."""
    message: str
    """What is wrong, and what to do."""
    code: str | None = None
