"""Checks tokens, and finds the user and the scopes in their claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError

from contracts.core.actors import LONGEST_ACTOR, of_user
from contracts.core.event import Json
from contracts.core.scopes import Scope, granted
from gateway.access.authentication import Unauthorized
from gateway.access.oidc.issuer import USABLE, IssuerKeys, PublicKey
from gateway.access.principals import Principal
from gateway.state.lru import Lru

SKEW_S = 60
"""Seconds by which the clocks of the issuer and of this machine may differ."""
ALGORITHMS = tuple(algorithm for _, algorithm in USABLE.values())
REMEMBERED = 1000
"""Number of checked tokens that are kept, so that each is checked once."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What a token must say."""

    issuer: str
    audience: str
    roles_claim: str
    """Path of the claim with the roles: names separated by dots."""
    role_scopes: Mapping[str, frozenset[Scope]]


class Tokens:
    """The tokens of one issuer."""

    def __init__(self, keys: IssuerKeys, expected: Expected, clock: Callable[[], datetime]) -> None:
        self._keys = keys
        self._expected = expected
        self._clock = clock
        self._checked: Lru[str, Principal] = Lru(REMEMBERED)
        self._generation = 0

    async def principal(self, token: str) -> Principal:
        """Return the user of a token.

        Raises:
            Unauthorized: the token is not valid.
            Unavailable: the issuer has never answered.
        """
        await self._keys.current()
        if self._generation != self._keys.generation:
            self._checked, self._generation = Lru(REMEMBERED), self._keys.generation
        known = self._checked.get(token)
        if known and known.is_valid(self._clock()):
            return known
        claims = self._claims(token, await self._key_of(token))
        principal = principal_of(claims, self._expected)
        self._checked.put(token, principal)
        return principal

    async def _key_of(self, token: str) -> PublicKey:
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError):
            raise Unauthorized("This is neither a key (`aa_…`) nor a signed token (JWT)") from None
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in ALGORITHMS:
            raise Unauthorized(f"The token must be signed with {' or '.join(ALGORITHMS)}")
        if not isinstance(kid, str):
            raise Unauthorized("The token does not name its key: its header needs `kid`")
        key = await self._keys.get(kid)
        if key is None:
            raise Unauthorized("The token is signed with a key that its issuer does not have")
        return key

    def _claims(self, token: str, key: PublicKey) -> Mapping[str, Json]:
        """Return the claims of a token that `key` signed and that is valid now."""
        try:
            claims = jwt.decode(token, key, algorithms=[USABLE[key.key_type][1]]).claims
            self._rules().validate(claims)
        except ExpiredTokenError:
            raise Unauthorized("The token has expired: get a new one") from None
        except MissingClaimError as error:
            raise Unauthorized(f"The token lacks the claim {error.claim}") from None
        except InvalidClaimError as error:
            raise Unauthorized(f"The claim {error.claim} of the token is not valid here") from None
        except (JoseError, ValueError):
            raise Unauthorized("The signature of the token is not valid") from None
        return claims

    def _rules(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=SKEW_S,
            iss={"essential": True, "value": self._expected.issuer},
            aud={"essential": True, "value": self._expected.audience},
            sub={"essential": True},
            exp={"essential": True},
        )


def principal_of(claims: Mapping[str, Json], expected: Expected) -> Principal:
    """Return the user of a token with valid claims.

    Raises:
        Unauthorized: the subject cannot be the name of an actor.
    """
    actor = of_user(str(claims["sub"]))
    if len(actor) > LONGEST_ACTOR or not actor.isprintable():
        raise Unauthorized("The claim sub of the token is not valid here")
    roles = roles_of(claims, expected.roles_claim)
    scopes = frozenset[Scope]().union(*(expected.role_scopes.get(role, ()) for role in roles))
    ends = datetime.fromtimestamp(float(claims["exp"]) + SKEW_S, UTC)
    return Principal(actor, granted(scopes), lambda now: now < ends)


def roles_of(claims: Mapping[str, Json], path: str) -> frozenset[str]:
    """Return the roles in the claim at `path`: a list of texts, or one text with roles between spaces."""
    value: Json = claims
    for name in (path,) if path in claims else path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    listed = value.split() if isinstance(value, str) else value
    return (
        frozenset(one for one in listed if isinstance(one, str)) if isinstance(listed, list) else frozenset()
    )
