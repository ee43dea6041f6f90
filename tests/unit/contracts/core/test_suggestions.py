"""What is suggested in place of something unknown."""

from __future__ import annotations

import pytest

from contracts.core.suggestions import did_you_mean

KNOWN = ("stepBudget", "allowedTools", "temperature", "max_tokens")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("budget", "stepBudget"),
        ("allowed_tools", "allowedTools"),
        ("Temperatur", "temperature"),
        ("maxTokens", "max_tokens"),
        ("tools", "allowedTools"),
    ],
)
def test_what_is_close_is_suggested(given: str, meant: str) -> None:
    assert did_you_mean(given, KNOWN) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("given", ["", "colour", "x" * 100_000])
def test_what_is_not_close_is_not(given: str) -> None:
    assert did_you_mean(given, KNOWN) == ""
