"""Scopes: what a client of the API may do."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum
from functools import cache


class Scope(StrEnum):
    """A permission. Every endpoint requires one; every key and every role of a user has some."""

    READ = "read"
    """Read everything: goals, runs, files, events, documents."""
    RUN = "run"
    """Create, change, run, cancel and delete goals, DAGs and their runs. Includes `read`."""
    APPROVE = "approve"
    """Answer the questions of runs. Includes `read`."""
    ADMIN = "admin"
    """Change agents and keys. Includes all other scopes."""


_INCLUDED: Mapping[Scope, frozenset[Scope]] = {
    Scope.READ: frozenset(),
    Scope.RUN: frozenset({Scope.READ}),
    Scope.APPROVE: frozenset({Scope.READ}),
    Scope.ADMIN: frozenset(Scope),
}


@cache
def granted(scopes: Collection[Scope]) -> frozenset[Scope]:
    """Return `scopes`, a tuple or a frozenset, and the scopes that they include."""
    return frozenset(scopes).union(*(_INCLUDED[scope] for scope in scopes))
