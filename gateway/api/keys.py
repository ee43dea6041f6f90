"""Keys of the API: a name, scopes, possibly an expiry. The log has the history of keys, not their secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_hex
from typing import Any

from aiohttp import web

from contracts.api.keys import KeyCreate, KeyIssued, KeyPatch, KeyRotate, KeyRow
from contracts.core.event import Event
from contracts.core.scopes import Scope
from contracts.domain import key
from contracts.domain.key import KEY, SECRET_BYTES
from contracts.domain.keys import Entry, Keys
from contracts.runtime.stream import transact
from gateway.endpoint import Call, endpoint
from gateway.http.replies import json_reply, no_content

TAG = "keys"
MISSING = key.UnknownKey.__doc__
NOT_STORED = {"Cache-Control": "no-store"}


@endpoint(
    "POST",
    "/api/v1/keys",
    summary="Create a key",
    tag=TAG,
    scope=Scope.ADMIN,
    body=KeyCreate,
    responses={201: KeyIssued},
    errors={400: "The body is invalid, or the key would have expired.", 409: "A key with that name exists."},
)
async def create_key(call: Call[KeyCreate, None]) -> web.StreamResponse:
    """The text of the key is only in this answer. Names are unique: a repeated request creates nothing."""
    secret, now = token_hex(SECRET_BYTES), call.gateway.clock()
    id_ = key.key_id(call.body.name)
    wanted, budget = call.body.event(secret), call.body.budget
    keys = await _decide(call, id_, partial(key.create, wanted=wanted, now=now, budget=budget))
    return _issued(call, keys.require(id_), secret, 201)


@endpoint(
    "GET",
    "/api/v1/keys",
    summary="List keys by name",
    tag=TAG,
    scope=Scope.ADMIN,
    responses={200: list[KeyRow]},
)
async def list_keys(call: Call[None, None]) -> web.StreamResponse:
    """Includes revoked and expired keys."""
    keys = await call.gateway.keys_current()
    return json_reply([KeyRow.of(entry, call.gateway.clock()) for entry in keys.all()])


@endpoint(
    "GET",
    "/api/v1/keys/{id}",
    summary="Get a key",
    tag=TAG,
    scope=Scope.ADMIN,
    responses={200: KeyRow},
    missing=MISSING,
)
async def get_key(call: Call[None, None]) -> web.StreamResponse:
    """Gets everything about a key except its secret."""
    keys = await call.gateway.keys_current()
    return json_reply(KeyRow.of(keys.require(call.path["id"]), call.gateway.clock()))


@endpoint(
    "PATCH",
    "/api/v1/keys/{id}",
    summary="Change the budget of a key",
    tag=TAG,
    scope=Scope.ADMIN,
    body=KeyPatch,
    responses={200: KeyRow},
    missing=MISSING,
    errors={409: "The key is revoked."},
)
async def update_key(call: Call[KeyPatch, None]) -> web.StreamResponse:
    """The budget holds for the next call of a model, also in runs that are in progress."""
    id_ = call.path["id"]
    keys = await _decide(call, id_, partial(key.set_budget, changes=call.body.changes))
    return json_reply(KeyRow.of(keys.require(id_), call.gateway.clock()))


@endpoint(
    "POST",
    "/api/v1/keys/{id}/rotate",
    summary="Replace the secret of a key",
    tag=TAG,
    scope=Scope.ADMIN,
    body=KeyRotate,
    responses={200: KeyIssued},
    missing=MISSING,
    errors={400: "The body is invalid, or the key would have expired.", 409: "The key is revoked."},
)
async def rotate_key(call: Call[KeyRotate, None]) -> web.StreamResponse:
    """The new text is only in this answer. The previous one stays valid for `overlapS` seconds."""
    secret, now = token_hex(SECRET_BYTES), call.gateway.clock()
    wanted = call.body.event(secret, now)
    keys = await _decide(call, call.path["id"], partial(key.rotate, wanted=wanted, now=now))
    return _issued(call, keys.require(call.path["id"]), secret, 200)


@endpoint(
    "DELETE",
    "/api/v1/keys/{id}",
    summary="Revoke a key",
    tag=TAG,
    scope=Scope.ADMIN,
    responses={204: None},
    missing=MISSING,
)
async def revoke_key(call: Call[None, None]) -> web.StreamResponse:
    """Every gateway refuses the key at once, and its open streams end within seconds."""
    await _decide(call, call.path["id"], key.revoke)
    return no_content()


ENDPOINTS = (create_key, list_keys, get_key, update_key, rotate_key, revoke_key)


async def _decide(call: Call[Any, Any], id_: str, decide: Callable[[key.State], Sequence[Event]]) -> Keys:
    """Change a key. Returns all keys after it: this gateway applies the change to later requests."""
    await transact(call.gateway.log, KEY, id_, decide, call.origin)
    return await call.gateway.keys_current()


def _issued(call: Call[Any, Any], entry: Entry, secret: str, status: int) -> web.StreamResponse:
    issued = KeyIssued.of(entry, call.gateway.clock(), key=key.text_of(entry.id, secret))
    return json_reply(issued, status, NOT_STORED)
