"""`Idempotency-Key`: repeating a request with the same key, at any gateway, has no further effect.

1. The key is claimed for the request (its method, path and body) in a key-value bucket that all gateways
   share. Another request with the same key is refused.
2. The request is executed with ids that are derived from the key and the request. Every commit names the
   request as its cause. A second execution finds these commits in the log and creates nothing twice.
3. The answer is stored under the key. For a day, repeated requests get the stored answer.

Keys belong to the principal that sends them: equal keys of two principals are different keys.

There is no lock and no lease. A request that arrives while an earlier attempt is in progress, or after the
gateway crashed during one, is executed again with the same result. If several attempts finish, the first
stored answer counts. A refused request has no effect: its answer is not stored, and its key becomes free.
After an unexpected error the key stays claimed, because the effect of the request is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from hashlib import sha256

import orjson
import structlog
from aiohttp import web
from pydantic import BaseModel, ConfigDict

from contracts.core.actors import ANONYMOUS
from contracts.core.event import Json
from contracts.core.ids import derived_id
from contracts.runtime.key_value import KeyValue, Outdated
from contracts.runtime.log import Unavailable
from contracts.runtime.stream import TooManyConflicts
from gateway.http.errors import Refusal, refusal_of

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
"""Header of answers that are replayed."""
KEPT_HEADERS = ("Content-Type", "Location")
LARGEST_BYTES = 512 * 1024
"""Maximum size of a stored answer. A request with a larger answer is executed again."""
TRIES = 5

_KEY = re.compile(r"[\x21-\x7e]{1,255}")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Key:
    """The idempotency key of a request."""

    name: str
    """Hash of the client's key and of its principal."""
    request: str
    """Hash of the method, path and body."""

    def id(self, prefix: str, *parts: str) -> str:
        """Return an id that is the same for every attempt of the request."""
        return derived_id(prefix, self.name, self.request, *parts)

    @property
    def cause(self) -> str:
        """The causation id of commits of the request."""
        return self.id("req_")


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)

    status: int
    headers: dict[str, str]
    body: str

    @classmethod
    def of(cls, response: web.Response) -> _Answer:
        headers = {name: response.headers[name] for name in KEPT_HEADERS if name in response.headers}
        return cls(status=response.status, headers=headers, body=response.text or "")

    def reply(self) -> web.Response:
        return web.Response(
            body=self.body.encode(), status=self.status, headers={**self.headers, REPLAYED: "true"}
        )


class _Entry(BaseModel):
    """The value of a key. The key is free if no request claims it."""

    model_config = ConfigDict(frozen=True)

    request: str | None = None
    answer: _Answer | None = None


@dataclass(frozen=True, slots=True)
class _Claim:
    entry: _Entry
    revision: int


class Idempotency:
    """The answers of the last day, shared by all gateways."""

    def __init__(self, key_values: KeyValue) -> None:
        self._values = key_values

    async def once(
        self, key: Key, request: web.Request, perform: Callable[[], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Return the stored answer, or else the answer of `perform`.

        Raises:
            Refusal: the key belongs to another request.
            Unavailable: NATS could not be reached.
        """
        claim = await self._claim(key)
        if claim.entry.answer:
            return claim.entry.answer.reply()
        try:
            response = await perform()
        except Exception as error:
            refusal = refusal_of(error, request)
            if refusal and refusal.status < 500:
                await self._free(key, claim)
            raise
        if isinstance(response, web.Response):
            return await self._store_answer(key, claim, response)
        return response

    async def _claim(self, key: Key) -> _Claim:
        entry, revision = _Entry(), 0
        for _ in range(TRIES):
            if entry.request is None:
                wanted = _Entry(request=key.request)
                if mine := await self._put(key, wanted, revision):
                    return _Claim(wanted, mine)
                entry, revision = await self._get(key)
            elif entry.request != key.request:
                raise Refusal(
                    422, f"This {HEADER} was used for another request: send a new one with each new request"
                )
            else:
                return _Claim(entry, revision)
        raise TooManyConflicts(f"the {HEADER} is claimed and freed too fast")

    async def _store_answer(self, key: Key, claim: _Claim, response: web.Response) -> web.Response:
        if response.content_length is not None and response.content_length > LARGEST_BYTES:
            return response
        answered = _Entry(request=key.request, answer=_Answer.of(response))
        try:
            if await self._put(key, answered, claim.revision):
                return response
            entry, _ = await self._get(key)
        except Unavailable as error:
            logger.warning(
                "an answer could not be stored; a repeated request is executed again", error=str(error)
            )
            return response
        kept = entry.answer if entry.request == key.request else None
        return kept.reply() if kept else response

    async def _free(self, key: Key, claim: _Claim) -> None:
        await self._put(key, _Entry(), claim.revision)

    async def _get(self, key: Key) -> tuple[_Entry, int]:
        stored = await self._values.get(key.name)
        return (_Entry.model_validate_json(stored.value), stored.revision) if stored else (_Entry(), 0)

    async def _put(self, key: Key, entry: _Entry, after: int) -> int | None:
        """Write the entry. Return the new revision, or None if another writer was first."""
        try:
            return await self._values.put(key.name, entry.model_dump_json().encode(), after=after)
        except Outdated:
            return None


def key_of(request: web.Request, body: Json, actor: str) -> Key | None:
    """Return the key of a request of `actor` with this `body`, or None if it has no key.

    Raises:
        Refusal: the key is invalid.
    """
    given = request.headers.get(HEADER)
    if given is None:
        return None
    if not _KEY.fullmatch(given):
        raise Refusal(400, f"{HEADER} must be 1 to 255 visible ASCII characters, such as a UUID")
    parts = (request.method, request.path, orjson.dumps(body, option=orjson.OPT_SORT_KEYS).decode())
    name = given if actor == ANONYMOUS else f"{actor}\n{given}"
    return Key(_hash(name), _hash("\n".join(parts)))


def _hash(text: str) -> str:
    return sha256(text.encode()).hexdigest()
