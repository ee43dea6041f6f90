"""Finds out who sends a request, from its header `Authorization: Bearer <key or token>`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b

from contracts.core.actors import of_key
from contracts.core.scopes import granted
from contracts.domain.key import PREFIX, InvalidKey, parts_of
from contracts.domain.keys import Entry, Keys
from contracts.runtime.log import Unavailable
from gateway.access.principals import ANYBODY, STRANGER, Principal
from gateway.http.errors import FrameworkRefusal

SCHEME = "bearer"
REMEMBERED = 10_000
"""Maximum number of remembered keys."""
DIGEST_BYTES = 32
CHALLENGE = 'Bearer realm="async-agent"'

Authenticate = Callable[[str | None], Awaitable[Principal]]
"""Returns the principal of a request with this `Authorization`. Raises Unauthorized if it is not valid, and
Unavailable if that cannot be checked now."""


class Unauthorized(FrameworkRefusal):
    """The answer 401: a key or token is missing or not valid."""

    def __init__(self, message: str, *, given: bool = True) -> None:
        super().__init__(401, message)
        self.headers = {"WWW-Authenticate": f'{CHALLENGE}, error="invalid_token"' if given else CHALLENGE}


def missing() -> Unauthorized:
    """Return the answer to a request without a key."""
    return Unauthorized(
        "This system needs a key: send it as `Authorization: Bearer <key>`. "
        "Whoever has a key with the scope admin can create one: `async-agent keys create`",
        given=False,
    )


async def nobody_asked(_: str | None) -> Principal:
    """Authenticate for AUTH=off: everybody may do everything, and the header is ignored."""
    return ANYBODY


@dataclass(frozen=True, slots=True)
class _Known:
    """The parts of a key's text, and the principal that it had when the key was `entry`."""

    id: str
    secret_sha256: str
    entry: Entry
    principal: Principal


class KeyHolders:
    """Authenticates by keys, and by tokens if `of_token` is given.

    `require_current` raises Unavailable if `keys` is too old to decide by it.
    """

    def __init__(
        self,
        keys: Keys,
        require_current: Callable[[], None],
        clock: Callable[[], datetime],
        of_token: Callable[[str], Awaitable[Principal]] | None = None,
    ) -> None:
        self._keys = keys
        self._require_current = require_current
        self._clock = clock
        self._of_token = of_token
        self._known: dict[bytes, _Known] = {}
        """Valid keys of earlier requests, by the BLAKE2b of their texts. Each request checks its key anew."""

    async def authenticate(self, authorization: str | None) -> Principal:
        """See Authenticate."""
        if authorization is None:
            return STRANGER
        scheme, _, rest = authorization.partition(" ")
        text = rest.strip()
        if scheme.lower() != SCHEME or not text:
            raise Unauthorized("Authorization must be `Bearer <key>`")
        if self._of_token is not None and not text.startswith(PREFIX):
            return await self._of_token(text)
        return self._of_key(text)

    def _of_key(self, text: str) -> Principal:
        try:
            digest = blake2b(text.encode(errors="surrogateescape"), digest_size=DIGEST_BYTES).digest()
            known = self._known.get(digest)
            id_, secret_sha256 = (known.id, known.secret_sha256) if known else parts_of(text)
            entry = self._holding(id_, secret_sha256, self._clock())
        except InvalidKey as error:
            raise Unauthorized(str(error)) from None
        if known is None or known.entry is not entry:
            known = _Known(id_, secret_sha256, entry, self._principal(id_, secret_sha256, entry))
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[digest] = known
        return known.principal

    def _principal(self, id_: str, secret_sha256: str, entry: Entry) -> Principal:
        is_valid = partial(self._is_held, id_, secret_sha256)
        return Principal(of_key(entry.state.name), granted(entry.state.scopes), is_valid)

    def _holding(self, id_: str, secret_sha256: str, now: datetime) -> Entry:
        self._require_current()
        return self._keys.holding(id_, secret_sha256, now)

    def _is_held(self, id_: str, secret_sha256: str, now: datetime) -> bool:
        try:
            self._holding(id_, secret_sha256, now)
        except (InvalidKey, Unavailable):
            return False
        return True
