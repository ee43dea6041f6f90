"""Principals: who sends a request, and what they may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from contracts.core.actors import ANONYMOUS
from contracts.core.scopes import Scope


def always(_: datetime) -> bool:
    """The validity of a principal without a key or a token."""
    return True


@dataclass(frozen=True, slots=True)
class Principal:
    """Who sends a request."""

    actor: str
    """Name of the principal in commits, see contracts.core.actors."""
    scopes: frozenset[Scope]
    """What the principal may do, with all included scopes."""
    is_valid: Callable[[datetime], bool] = always
    """Whether the key or token of the request is still valid at a time."""

    @property
    def is_anonymous(self) -> bool:
        """Whether the request has no key and no token."""
        return self.actor == ANONYMOUS

    def may(self, scope: Scope | None) -> bool:
        """Whether the principal may use an endpoint with this scope. None: everybody may."""
        return scope is None or scope in self.scopes


ANYBODY = Principal(ANONYMOUS, frozenset(Scope))
"""The principal of every request if AUTH is `off`."""
STRANGER = Principal(ANONYMOUS, frozenset())
"""The principal of requests without a key or token otherwise."""

PRINCIPAL = web.RequestKey("principal", Principal)
"""Request key: who sends the request."""
