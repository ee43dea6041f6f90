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
def test_a_close_name_is_suggested(given: str, meant: str) -> None:
    assert did_you_mean(given, KNOWN) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize("given", ["", "colour", "x" * 100_000])
def test_a_distant_name_is_not_suggested(given: str) -> None:
    assert did_you_mean(given, KNOWN) == ""
