"""Suggestions for misspelled names."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

LEAST_LIKENESS = 0.55
"""Minimum similarity of a suggestion, from 0 to 1."""


def closest(given: str, known: Iterable[str], *, likeness: float = LEAST_LIKENESS) -> str | None:
    """The element of `known` most similar to `given`; None if none is similar. Ignores case, `_` and `-`."""
    by_form = {_form(one): one for one in known}
    found = get_close_matches(_form(given), by_form, n=1, cutoff=likeness)
    return by_form[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The suffix `; did you mean 'x'?` for an error message; empty if no known name is similar."""
    found = closest(given[:100], known)
    return f"; did you mean {found!r}?" if found else ""


def _form(text: str) -> str:
    return text.casefold().replace("_", "").replace("-", "")
