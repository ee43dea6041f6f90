"""What somebody meant who wrote something else."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LEAST_LIKENESS = 0.55
"""Of 1."""


def closest(given: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `given`, whatever its case; None when none is close."""
    by_form = {_form(one): one for one in known}
    found = get_close_matches(_form(given), by_form, n=1, cutoff=LEAST_LIKENESS)
    return by_form[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`; did you mean 'x'?`, to end a sentence with; empty when nothing known is close."""
    found = closest(given[:100], known)
    return f"; did you mean {found!r}?" if found else ""


def _form(text: str) -> str:
    return text.casefold().replace("_", "").replace("-", "")
