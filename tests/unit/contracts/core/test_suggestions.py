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


@pytest.mark.parametrize(
    ("given", "known", "meant"),
    [
        ("URL", ("url", "urls"), "url"),
        ("u_rl", ("url", "path"), "url"),
        ("ids", ("id", "kind"), "id"),
        ("url", ("urls", "path"), "urls"),
        ("urls", ("url", "path"), "url"),
        ("nop", ("noop", "echo"), "noop"),
        ("used", ("usd", "steps"), "usd"),
        ("0Ol", ("001", "002"), "001"),
        ("sud", ("usd", "steps"), "usd"),
        ("max", ("max_tokens", "path"), "max_tokens"),
        ("id", ("kind", "text"), None),
        ("kind", ("id", "text"), None),
        ("topic", ("to", "subject"), None),
        ("004", ("001", "002", "003"), None),
        ("usb", ("usd", "steps"), None),
        ("to", ("cc", "text"), None),
        ("a", ("at", "b"), "at"),
        ("p", ("path", "b"), None),
        ("to", ("tokens", "toolNames"), None),
    ],
)
def test_for_a_short_word_only_one_that_is_a_slip_away_is_suggested(
    given: str, known: tuple[str, ...], meant: str | None
) -> None:
    assert did_you_mean(given, known) == (f"; did you mean {meant!r}?" if meant else "")


@pytest.mark.parametrize("given", ["", "colour", "x" * 100_000])
def test_a_distant_name_is_not_suggested(given: str) -> None:
    assert did_you_mean(given, KNOWN) == ""
