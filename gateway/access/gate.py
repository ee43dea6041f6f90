"""The gate: every request is authenticated, counted and authorised before it reaches an endpoint."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from contracts.core.scopes import Scope
from contracts.runtime.log import Unavailable
from gateway.access.authentication import Authenticate, Unauthorized, missing
from gateway.access.principals import PRINCIPAL, STRANGER, Principal
from gateway.access.sessions import Sessions
from gateway.http.errors import FrameworkRefusal
from gateway.http.middleware import HEADERS, PROBES
from gateway.http.rate_limit import RateLimit

FORWARDED = "X-Forwarded-For"
AUTHORIZATION = "Authorization"

Scopes = Mapping[web.AbstractRoute, Scope | None]
"""The scope of each route. None: the route needs no key."""


def guarded_by(gate: Gate) -> Middleware:
    """Return a middleware of `gate`."""

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        return await gate.admit(request, handler)

    return admit


class Gate:
    """Lets requests pass to the endpoints that their principal may use."""

    def __init__(
        self,
        authenticate: Authenticate,
        rate_limit: RateLimit,
        sessions: Sessions,
        scopes: Scopes,
        is_open: Callable[[web.Request], bool],
    ) -> None:
        """`is_open`: whether a request without a route needs no key."""
        self._authenticate = authenticate
        self._rate_limit = rate_limit
        self._sessions = sessions
        self._scopes = scopes
        self._is_open = is_open

    async def admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Authenticate, count and authorise `request`, and pass it on to `handler`.

        Raises:
            FrameworkRefusal: 401 without a valid key, 403 without the scope, 429 over the rate limit.
            Unavailable: the key or token cannot be checked now.
        """
        scope = self._scope(request)
        try:
            principal = await self._principal(request.headers.get(AUTHORIZATION), scope)
        except (Unauthorized, Unavailable):
            self._count(request, None)
            raise
        self._count(request, principal)
        require(principal, scope)
        request[PRINCIPAL] = principal
        if not principal.is_anonymous:
            structlog.contextvars.bind_contextvars(actor=principal.actor)
        with self._sessions.during(request, principal):
            return await handler(request)

    async def _principal(self, authorization: str | None, scope: Scope | None) -> Principal:
        """Authenticate. For an endpoint without a scope, whoever cannot be checked now is a stranger."""
        try:
            return await self._authenticate(authorization)
        except Unavailable:
            if scope is None:
                return STRANGER
            raise

    def _scope(self, request: web.Request) -> Scope | None:
        """The scope of a request's route. Whoever may not read is not told which routes exist."""
        route = request.match_info.route
        if route in self._scopes:
            return self._scopes[route]
        return None if self._is_open(request) else Scope.READ

    def _count(self, request: web.Request, principal: Principal | None) -> None:
        if request.path in PROBES:
            return
        actor = None if principal is None or principal.is_anonymous else principal.actor
        forwarded = request.headers.getall(FORWARDED, ())
        request[HEADERS].update(self._rate_limit.take(request.remote, forwarded, actor))


def require(principal: Principal, scope: Scope | None) -> None:
    """Check that `principal` may use an endpoint with this scope.

    Raises:
        Unauthorized: the request has no key.
        FrameworkRefusal: the key or the user lacks the scope.
    """
    if principal.may(scope):
        return
    if principal.is_anonymous:
        raise missing()
    has = ", ".join(sorted(principal.scopes)) or "none"
    raise FrameworkRefusal(403, f"This needs the scope {scope}; {principal.actor} has {has}")
