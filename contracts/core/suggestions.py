"""Suggestions for misspelled names."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

LEAST_LIKENESS = 0.55
"""Minimum similarity of a suggestion, from 0 to 1."""
SHORT = 3
"""Maximum letters of a short word. Most short words share a letter or two with another one by chance."""

_LOOK_ALIKES = str.maketrans("ol", "01")


def closest(given: str, known: Iterable[str], *, likeness: float = LEAST_LIKENESS) -> str | None:
    """Return the known word that is most similar to `given`, or None. Case, `_` and `-` are ignored.

    Where one of the two is short, the other one must be the same with one letter more or less, or with two
    neighbouring letters exchanged.
    """
    form = _form(given)
    by_form = {other: one for one in known if _may_be_meant(form, other := _form(one))}
    found = get_close_matches(form, by_form, n=1, cutoff=likeness)
    return by_form[found[0]] if found else None


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """The suffix `; did you mean 'x'?` for an error message.

    It names the most similar known name, or else the only one that begins with `given`. Empty if there is
    none.
    """
    given, known = given[:100], tuple(known)
    found = closest(given, known) or _completed(given, known)
    return f"; did you mean {found!r}?" if found else ""


def _completed(given: str, known: Sequence[str]) -> str | None:
    """The only name that begins with at least two letters of `given`."""
    form = _form(given)
    found = [one for one in known if _form(one).startswith(form)]
    return found[0] if len(found) == 1 and len(form) > 1 else None


def _may_be_meant(form: str, other: str) -> bool:
    if min(len(form), len(other)) > SHORT:
        return True
    shorter, longer = sorted((form, other), key=len)
    has_one_more = any(longer[:n] + longer[n + 1 :] == shorter for n in range(len(longer)))
    return form == other or has_one_more or _are_exchanged(form, other)


def _are_exchanged(form: str, other: str) -> bool:
    """Whether two words differ by two neighbouring letters that are exchanged."""
    places = [n for n, pair in enumerate(zip(form, other, strict=False)) if pair[0] != pair[1]]
    if len(form) != len(other) or len(places) != 2:
        return False
    one, next_ = places
    return next_ == one + 1 and form[one] == other[next_] and form[next_] == other[one]


def _form(text: str) -> str:
    return text.casefold().replace("_", "").replace("-", "").translate(_LOOK_ALIKES)
