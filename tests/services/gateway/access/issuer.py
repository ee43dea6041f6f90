"""A small OpenID Connect issuer over real HTTP: it publishes keys, signs tokens, and can change its keys."""

from __future__ import annotations

import base64
import hmac
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import orjson
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from contracts.core.event import Json

AUDIENCE = "async-agent"


def base64_of(data: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def encoded(part: dict[str, Json]) -> str:
    """A part of a token."""
    return base64_of(orjson.dumps(part))


class Issuer:
    """One issuer."""

    def __init__(self) -> None:
        self.url = ""
        self.keys: dict[str, RSAKey | ECKey] = {}
        self.extra_keys: list[Json] = []
        """Further members of the published set."""
        self.announced: str | None = None
        """The issuer in the discovery document; None: the real one."""
        self.is_away = False
        self.fetches = 0
        """How often the keys were fetched."""

    def rsa(self, kid: str) -> None:
        self.keys[kid] = RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})

    def ec(self, kid: str) -> None:
        self.keys[kid] = ECKey.generate_key("P-256", {"kid": kid, "alg": "ES256"})

    def claims(self, **changed: Json) -> dict[str, Json]:
        """Good claims with changes; a claim that is None is left out."""
        now = int(time.time())
        good = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "roles": ["run"],
        }
        return {name: value for name, value in (good | changed).items() if value is not None}

    def token(self, kid: str, header: dict[str, Json] | None = None, **claims: Json) -> str:
        """A token that is signed with one of the keys."""
        key = self.keys[kid]
        algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
        return jwt.encode({"alg": algorithm, "kid": kid, **(header or {})}, self.claims(**claims), key)

    def with_header(self, signer: str, **header: Json) -> str:
        """A token with a header that the library refuses to write, signed with an RSA key."""
        key = self.keys[signer]
        assert isinstance(key, RSAKey)
        assert key.private_key
        signed = f"{encoded({'alg': 'RS256', **header})}.{encoded(self.claims())}"
        signature = key.private_key.sign(signed.encode(), PKCS1v15(), SHA256())
        return f"{signed}.{base64_of(signature)}"

    def forged(self, kid: str) -> str:
        """A token that is signed by HS256 with the public key as the secret."""
        secret = self.keys[kid].as_pem(private=False)
        signed = f"{encoded({'alg': 'HS256', 'kid': kid})}.{encoded(self.claims(roles=['admin']))}"
        return f"{signed}.{base64_of(hmac.digest(secret, signed.encode(), 'sha256'))}"

    def unsigned(self, kid: str) -> str:
        """A token with the algorithm `none`."""
        return f"{encoded({'alg': 'none', 'kid': kid})}.{encoded(self.claims(roles=['admin']))}."

    async def discovery(self, _: web.Request) -> web.Response:
        if self.is_away:
            return web.Response(status=502)
        return web.json_response({"issuer": self.announced or self.url, "jwks_uri": f"{self.url}/keys"})

    async def published(self, _: web.Request) -> web.Response:
        self.fetches += 1
        keys: list[Any] = [key.as_dict(private=False) for key in self.keys.values()]
        return web.json_response({"keys": [*self.extra_keys, *keys]})


@asynccontextmanager
async def running_issuer() -> AsyncGenerator[Issuer]:
    """Run an issuer with an RSA key `rsa-1` until the end of the block."""
    issuer = Issuer()
    issuer.rsa("rsa-1")
    app = web.Application()
    app.router.add_get("/.well-known/openid-configuration", issuer.discovery)
    app.router.add_get("/keys", issuer.published)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    issuer.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield issuer
    finally:
        await runner.cleanup()
