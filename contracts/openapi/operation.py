"""One operation of an API, and the request that calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import quote

from contracts.core.event import Json

BODY = "body"
"""Name of the argument with the whole body, where its fields cannot be arguments of their own."""

Place = Literal["path", "query", "header", "body"]


class InvalidArguments(ValueError):
    """The arguments cannot be sent; the message names the one at fault."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one operation, relative to the address of the API."""

    method: str
    path: str
    """Percent-encoded."""
    query: Mapping[str, list[str]] = field(default_factory=dict)
    """The values of each parameter, one pair for each (`style: form`, `explode: true`, the default)."""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Json = None
    """JSON; None: no body."""


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation with JSON input, or none."""

    name: str
    """Its `operationId`, or a name made of method and path."""
    description: str
    method: str
    """In upper case."""
    path: str
    """With variables in braces."""
    parameters: Mapping[str, Json]
    """JSON Schema of all arguments as one object. It refers to its own `$defs` only."""
    places: Mapping[str, Place]
    """Where each argument goes."""

    @property
    def is_safe(self) -> bool:
        """Whether a call changes nothing, by the semantics of its method (RFC 9110, section 9.2.1)."""
        return self.method in {"GET", "HEAD", "OPTIONS"}

    @property
    def is_idempotent(self) -> bool:
        """Whether a second call has no further effect, by its method (RFC 9110, section 9.2.2)."""
        return self.is_safe or self.method in {"PUT", "DELETE"}

    def request(self, arguments: Mapping[str, Json]) -> Request:
        """The request with these arguments. None means that an argument is not given.

        Raises:
            InvalidArguments: an argument is unknown, or cannot be sent where it belongs.
        """
        given = {name: value for name, value in arguments.items() if value is not None}
        if unknown := sorted(given.keys() - self.places.keys()):
            raise InvalidArguments(f"{self.name} has no argument {unknown[0]!r}; {self._known()}")
        path = self.path
        for name in self._in("path"):
            text = _text(name, given.get(name, ""))
            if text in ("", ".", ".."):
                raise InvalidArguments(
                    f"{self.name} needs the argument {name!r}; {text!r} is not a value of it"
                )
            path = path.replace(f"{{{name}}}", quote(text, safe=""))
        return Request(
            method=self.method,
            path=path,
            query={name: _texts(name, given[name]) for name in self._in("query") if name in given},
            headers={name: _text(name, given[name]) for name in self._in("header") if name in given},
            body=self._body(given),
        )

    def _in(self, place: Place) -> list[str]:
        return [name for name, where in self.places.items() if where == place]

    def _known(self) -> str:
        return f"its arguments are {', '.join(self.places)}" if self.places else "it has no arguments"

    def _body(self, given: Mapping[str, Json]) -> Json:
        names = self._in("body")
        if names == [BODY]:
            return given.get(BODY)
        return {name: given[name] for name in names if name in given} if names else None


def _texts(name: str, value: Json) -> list[str]:
    return [_text(name, one) for one in (value if isinstance(value, list) else [value])]


def _text(name: str, value: Json) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
    raise InvalidArguments(f"{name!r} must be a text, a number or a boolean")
