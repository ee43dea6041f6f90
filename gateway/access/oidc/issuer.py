"""The public keys of an issuer, fetched from its discovery document and cached."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey

from contracts.core.event import Json
from contracts.runtime.log import Unavailable
from contracts.runtime.process.settings import require_private

DISCOVERY = "/.well-known/openid-configuration"
FRESH_S = 600.0
"""Seconds after which the keys are fetched again. A key that the issuer removed is refused from then on."""
UNKNOWN_S = 10.0
"""Minimum seconds between two fetches because of tokens with unknown keys."""
ANSWER_S = 5.0
LARGEST_BYTES = 1024 * 1024
USABLE: Mapping[str, tuple[type[RSAKey | ECKey], str]] = {"RSA": (RSAKey, "RS256"), "EC": (ECKey, "ES256")}
"""By type of key: its class, and the algorithm for which it is used."""

PublicKey = RSAKey | ECKey

logger = structlog.get_logger(__name__)


class IssuerKeys:
    """The keys of one issuer by `kid`."""

    def __init__(self, issuer: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._clock = clock
        self._keys: Mapping[str, PublicKey] = {}
        self._fetched: float | None = None
        self._asked_for_unknown: float | None = None
        self._lock = asyncio.Lock()
        self.generation = 0
        """Increased whenever the keys change. What was decided with earlier keys may be outdated."""

    async def current(self) -> Mapping[str, PublicKey]:
        """Return the keys, fetched at most FRESH_S ago. If the issuer does not answer, older ones are used.

        Raises:
            Unavailable: the issuer has never answered.
        """
        if not self._is_older_than(self._fetched, FRESH_S):
            return self._keys
        async with self._lock:
            if self._is_older_than(self._fetched, FRESH_S):
                await self._fetch()
        return self._keys

    async def get(self, kid: str) -> PublicKey | None:
        """Return the key called `kid`, or None if the issuer has no such key.

        An unknown name leads to a fetch, because the issuer may have a new key, but not more often than every
        UNKNOWN_S seconds. Raises the errors of `current`.
        """
        keys = await self.current()
        if kid not in keys and self._is_older_than(self._asked_for_unknown, UNKNOWN_S):
            async with self._lock:
                if kid not in self._keys and self._is_older_than(self._asked_for_unknown, UNKNOWN_S):
                    self._asked_for_unknown = self._clock()
                    await self._fetch()
        return self._keys.get(kid)

    def _is_older_than(self, moment: float | None, seconds: float) -> bool:
        return moment is None or self._clock() - moment > seconds

    async def _fetch(self) -> None:
        try:
            keys = await _published(self._issuer)
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            if self._fetched is None:
                raise Unavailable(f"the keys of the issuer {self._issuer} cannot be read: {error}") from error
            logger.warning("the keys of the issuer cannot be read; using older ones", error=str(error))
            self._fetched = self._clock()
            return
        self._fetched = self._clock()
        if _plain(keys) != _plain(self._keys):
            self.generation += 1
            self._keys = keys


def _plain(keys: Mapping[str, PublicKey]) -> dict[str, Any]:
    return {kid: key.as_dict() for kid, key in keys.items()}


async def _published(issuer: str) -> dict[str, PublicKey]:
    """Fetch the keys of `issuer`.

    Raises:
        ClientError, TimeoutError: the issuer does not answer.
        ValueError: an answer is not what OpenID Connect Discovery says.
    """
    timeout = aiohttp.ClientTimeout(ANSWER_S)
    async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as session:
        about = await _json(session, issuer.rstrip("/") + DISCOVERY)
        if about.get("issuer") != issuer:
            raise ValueError(f"its discovery document is of {about.get('issuer')!r}; set OIDC_ISSUER to that")
        found = await _json(session, require_private(str(about.get("jwks_uri"))))
    listed = found.get("keys")
    if not isinstance(listed, list):
        raise ValueError("its key set has no list `keys`")
    return dict(filter(None, map(_usable, listed)))


async def _json(session: aiohttp.ClientSession, url: str) -> dict[str, Json]:
    body = b""
    async with session.get(url, allow_redirects=False) as response:
        async for piece in response.content.iter_any():
            body += piece
            if len(body) > LARGEST_BYTES:
                raise ValueError(f"{url} is larger than {LARGEST_BYTES} bytes")
    answer = orjson.loads(body)
    if not isinstance(answer, dict):
        raise ValueError(f"{url} is not a JSON object")
    return answer


def _usable(listed: Json) -> tuple[str, PublicKey] | None:
    """Return the name and the key, or None if tokens cannot be checked with it."""
    if not isinstance(listed, dict) or not isinstance(kid := listed.get("kid"), str):
        return None
    kind, algorithm = USABLE.get(str(listed.get("kty")), (None, None))
    is_for_signatures = listed.get("use", "sig") == "sig" and listed.get("alg", algorithm) == algorithm
    if kind is None or not is_for_signatures or listed.get("crv", "P-256") != "P-256":
        return None
    try:
        return kid, kind.import_key(listed)
    except (JoseError, ValueError, TypeError):
        return None
