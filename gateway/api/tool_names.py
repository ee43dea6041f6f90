"""Checks names of tools in requests."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from contracts.core.suggestions import did_you_mean
from contracts.domain.issues import Issue, Path
from gateway.gateway import Gateway
from gateway.http.errors import INVALID_BODY, Refusal


def require_tools(gateway: Gateway, named: Mapping[Path, Collection[str] | None]) -> None:
    """Require that an executor has published every tool in `named`, by the path of the list in the body.

    Skipped until an executor has published any tool.

    Raises:
        Refusal: there is no such tool.
    """
    known = gateway.catalogue.published()
    unknown = [
        Issue((*path, number), f"there is no tool {name!r}{_advice(name, known)}").as_json()
        for path, names in named.items()
        for number, name in enumerate(names or ())
        if known and name not in known
    ]
    if unknown:
        raise Refusal(400, INVALID_BODY, validation_errors=unknown)


def _advice(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, known) or f"; there are {', '.join(known)}"
