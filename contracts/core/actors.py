"""Actors: who asked for a commit, as `anonymous`, `key:<name>`, `user:<subject>` or `service:<name>`.

A commit that follows from another commit has the actor of that commit. Commits of older versions have none.
"""

from __future__ import annotations

ANONYMOUS = "anonymous"
"""A client of a system that asks for no key."""
LONGEST_ACTOR = 300
"""Maximum characters of an actor."""


def of_key(name: str) -> str:
    """The actor of requests with the key called `name`."""
    return f"key:{name}"


def key_name(actor: str | None) -> str | None:
    """The name of the key if `actor` is a key; None otherwise."""
    kind, _, name = (actor or "").partition(":")
    return name if kind == "key" else None


def of_user(subject: str) -> str:
    """The actor of requests with a token for this subject of the OIDC issuer."""
    return f"user:{subject}"


def of_service(name: str) -> str:
    """The actor of commits that a service of ours makes by itself, for example because of the time."""
    return f"service:{name}"


def is_service(actor: str | None) -> bool:
    """Whether the actor is a service of ours."""
    return (actor or "").startswith("service:")
