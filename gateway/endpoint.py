"""Endpoints: route, input, answers and handler."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, TypeVar

from aiohttp import web
from pydantic import BaseModel, ValidationError

from contracts.core.aggregate import Aggregate
from contracts.core.event import Event, Json
from contracts.core.ids import is_id, new_id
from contracts.core.scopes import Scope
from contracts.domain.issues import issues
from contracts.runtime.stream import Origin, Stream, transact
from gateway.access.principals import PRINCIPAL, Principal
from gateway.gateway import Gateway
from gateway.http import bodies
from gateway.http.errors import INVALID_BODY, Refusal
from gateway.http.idempotency import Key, key_of

B = TypeVar("B")
Q = TypeVar("Q")
S = TypeVar("S")

_ID_NAMES = re.compile(r"\{(id|\w+_id)\}")


@dataclass(frozen=True, slots=True)
class Call(Generic[B, Q]):
    """One validated request to an endpoint."""

    gateway: Gateway
    request: web.Request
    endpoint: Endpoint
    body: B
    query: Q
    path: Mapping[str, str]
    origin: Origin
    """The writer of commits for this request."""
    key: Key | None = None
    """The idempotency key, if the client sent one."""

    @property
    def principal(self) -> Principal:
        """Who sends the request."""
        return self.request[PRINCIPAL]

    def missing(self) -> Refusal:
        """Return the 404 error for the id in the path."""
        return self.endpoint.missing_at(self.path)

    def new_id(self, prefix: str, *parts: str) -> str:
        """Return an id for a new aggregate. `parts` distinguish the aggregates that one request creates."""
        return self.key.id(prefix, *parts) if self.key else new_id(prefix)

    async def made_before(self, aggregate: Aggregate[S], aggregate_id: str) -> Stream[S] | None:
        """Return the aggregate that an earlier attempt of the same request created, or None.

        Call it before validating the request: agents, plans and tools may have changed since that attempt.
        """
        if self.key is None:
            return None
        stream = await Stream.open(self.gateway.log, aggregate, aggregate_id, self.origin)
        return stream if stream.version else None

    async def create(
        self, aggregate: Aggregate[S], aggregate_id: str, decide: Callable[[S], Sequence[Event]]
    ) -> Stream[S]:
        """Create an aggregate, or return the one that an earlier attempt of the same request created."""
        log = self.gateway.log
        if self.key:
            return await transact(log, aggregate, aggregate_id, decide, self.origin)
        stream = Stream(log, aggregate, aggregate_id, self.origin)
        await stream.append(decide(stream.state))
        return stream


Handler = Callable[[Call[Any, Any]], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Raw:
    """An answer that is not JSON."""

    media_type: str
    description: str


@dataclass(frozen=True, slots=True)
class Header:
    """An optional request header."""

    name: str
    description: str


LAST_EVENT_ID = Header("Last-Event-ID", "The `id` of the last event that the client received.")

ResponseType = Any
"""A type that pydantic supports, Raw, or None for an answer without content."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An operation: a method and a path, their input, answers and handler."""

    handler: Handler
    method: str
    path: str
    summary: str
    tag: str
    scope: Scope | None
    """What a principal needs to use the operation. None: nothing, not even a key."""
    responses: Mapping[int, ResponseType]
    body: type[BaseModel] | None
    query: type[BaseModel] | None
    invalid: str
    """Error text of an answer with validation issues."""
    invalid_too: Mapping[str, Json]
    """Further keys of an answer with validation issues."""
    missing: str | None
    """Text of the 404 error, with path variables in braces. Variables named `id` or `…_id` must be ids."""
    errors: Mapping[int, str]
    """Further error statuses and their descriptions."""
    form: type[BaseModel] | None
    """Model of a multipart body. The handler reads the body."""
    headers: tuple[Header, ...]
    keyed: bool
    """Whether the operation supports `Idempotency-Key`."""

    def __post_init__(self) -> None:
        if _ID_NAMES.search(self.path) and self.missing is None:
            raise TypeError(f"{self.method} {self.path} has an id: set its 404 error with `missing`")

    @property
    def name(self) -> str:
        """Name of the handler function. It is unique among endpoints."""
        return self.handler.__name__

    def missing_at(self, path: Mapping[str, str]) -> Refusal:
        """Return the 404 error for these path values."""
        return Refusal(404, (self.missing or "Not found").format(**path))

    async def serve(self, gateway: Gateway, request: web.Request, origin: Origin) -> web.StreamResponse:
        """Validate the request and call the handler.

        Raises:
            Refusal: the request is invalid, or the handler refuses it.
        """
        path = bodies.checked_path(request.match_info)
        for name in _ID_NAMES.findall(self.path):
            if not is_id(path[name]):
                raise self.missing_at(path)
        query = self._valid(self.query, bodies.query_of(request)) if self.query else None
        given = await bodies.body_of(request) if self.body else {}
        body = self._valid(self.body, given) if self.body else None
        call = Call(gateway, request, self, body, query, path, origin)
        key = key_of(request, given, call.principal.actor) if self.keyed else None
        if key is None:
            return await self.handler(call)
        keyed = replace(call, key=key, origin=replace(origin, causation_id=key.cause))
        return await gateway.idempotency.once(key, request, partial(self.handler, keyed))

    def _valid(self, model: type[BaseModel], data: Json) -> BaseModel:
        try:
            return model.model_validate(data)
        except ValidationError as error:
            found = issues(error, model)
            raise Refusal(400, self.invalid, **self.invalid_too, validation_errors=found) from error


def endpoint(  # noqa: PLR0913  a declaration, every part by its name
    method: str,
    path: str,
    *,
    summary: str,
    tag: str,
    scope: Scope | None,
    responses: Mapping[int, ResponseType],
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    invalid: str = INVALID_BODY,
    invalid_too: Mapping[str, Json] | None = None,
    missing: str | None = None,
    errors: Mapping[int, str] | None = None,
    form: type[BaseModel] | None = None,
    headers: tuple[Header, ...] = (),
    keyed: bool = False,
) -> Callable[[Handler], Endpoint]:
    """Turn a handler into an endpoint. GET endpoints also support HEAD."""
    return partial(
        Endpoint,
        method=method,
        path=path,
        summary=summary,
        tag=tag,
        scope=scope,
        responses=responses,
        body=body,
        query=query,
        invalid=invalid,
        invalid_too=invalid_too or {},
        missing=missing,
        errors=errors or {},
        form=form,
        headers=headers,
        keyed=keyed,
    )
