"""The options that say what runs may do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from contracts.core.event import Json
from deploy.cli.resources.command import Unusable, json_of


def limits_of(
    ask_before: Sequence[str] | None, outward_calls: str | None, budget: Sequence[str] | None
) -> dict[str, Json]:
    """Return the given options by their names in the API.

    Raises:
        Unusable: a limit of the budget has another form.
    """
    options: dict[str, Json] = {
        "approvals": list(ask_before or ()),
        "outwardCalls": outward_calls,
        "budget": dict(_amounts(budget or ())),
    }
    return {name: value for name, value in options.items() if value}


def _amounts(budget: Sequence[str]) -> Iterator[tuple[str, Json]]:
    for given in budget:
        limit, equals, amount = given.partition("=")
        if not equals:
            raise Unusable(f"--budget {given}: give a limit and an amount, such as usd=0.5")
        if not _is_number(amount):
            raise Unusable(f"--budget {given}: {amount!r} is not a number; write it as usd=0.5 or steps=40")
        yield limit.strip(), json_of(amount, f"--budget {given}")


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
