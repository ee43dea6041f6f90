"""Error answers. `error` is always a string. The other keys depend on the error."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from contracts.api.fields import Row


class Issue(Row):
    """One problem in the input. Other keys depend on `code`, as in Zod 3."""

    model_config = ConfigDict(extra="allow")

    code: str
    path: list[str | int]
    """Keys and indexes of the value, from the outside in."""
    message: str
    """What is wrong with the value."""


class Refused(Row):
    """The request was refused."""

    model_config = ConfigDict(extra="allow")

    error: str
    """What is wrong and what to do."""


class InvalidInput(Refused):
    """The body or the query is invalid."""

    validation_errors: Annotated[list[Issue], Field(alias="validation_errors")]


class Turned(Row):
    """The server refused the request before an operation handled it."""

    status_code: int
    error: str
    """Name of the HTTP status."""
    message: str
    """What is wrong and what to do."""
    code: str | None = None
