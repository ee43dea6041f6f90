"""Conversations that do not fit: what each provider says, and how they are shortened."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from contracts.llm.adapting import AdaptedRequest, Restrictions
from contracts.llm.context import LEAST_CHARS, Overflow, overflow_in, shortened
from contracts.llm.failure import CallFailed

TOO_LONG = json.loads((Path(__file__).parent / "too_long.json").read_text(encoding="utf-8"))
"""How providers say that a conversation or an answer is too long."""


@pytest.mark.parametrize("refused", TOO_LONG, ids=lambda one: f"{one['provider']}: {one['says'][:40]}")
def test_every_provider_is_understood_when_it_says_that_something_is_too_long(
    refused: dict[str, Any],
) -> None:
    assert overflow_in(refused["says"], refused["status"]) == Overflow(**refused["limits"])


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, "Unsupported parameter: 'max_tokens' is not supported with this model."),
        (400, "max_tokens is too large: 10000"),
        (429, "Rate limit reached on tokens per min (TPM): Used 29000, Requested 3000"),
        (401, "context length"),
        (None, "maximum context length is 4096 tokens"),
        (400, "Invalid value for 'temperature'"),
    ],
)
def test_other_refusals_are_not_taken_for_it(status: int | None, said: str) -> None:
    assert overflow_in(said, status) is None


def body(*texts: str, max_tokens: int = 1000) -> dict[str, object]:
    roles = ["system", "user", "assistant", "user"]
    messages = [{"role": role, "content": text} for role, text in zip(roles, texts, strict=False)]
    return {"messages": messages, "max_tokens": max_tokens}


def failed(said: str) -> CallFailed:
    return CallFailed(said, passing=False, status=400)


def test_first_the_answer_gives_way() -> None:
    said = failed("maximum context length is 4096 tokens. Your request has 3500 input tokens")
    adapted = AdaptedRequest.of(body("s", "u" * 9000, max_tokens=10_000), Restrictions()).after(said)

    assert adapted is not None
    assert adapted.body["max_tokens"] == 596
    assert adapted.body["messages"][1]["content"] == "u" * 9000
    assert adapted.learnt.limits.context == 4096


def test_then_the_longest_texts_are_cut_and_their_beginning_and_end_stay() -> None:
    text = "BEGIN" + "x" * 30_000 + "END"
    said = failed("maximum context length is 4096 tokens. Your request has 10000 input tokens")
    adapted = AdaptedRequest.of(body("s" * 600, text, "short"), Restrictions()).after(said)

    assert adapted is not None
    system, user, assistant = (one["content"] for one in adapted.body["messages"])
    assert (system, assistant) == ("s" * 600, "short")
    assert user.startswith("BEGIN")
    assert user.endswith("END")
    assert "characters are left out here" in user
    assert len(user) < 12_000
    assert adapted.body["max_tokens"] <= 1024


def test_the_system_message_is_cut_only_when_nothing_else_is_left_to_cut() -> None:
    messages = body("s" * 10_000, "u" * 500)["messages"]
    assert isinstance(messages, list)
    cut = shortened(messages, 0.5)

    assert cut is not None
    assert len(cut[0]["content"]) < 6000
    assert shortened([{"role": "user", "content": "u" * LEAST_CHARS}], 0.5) is None


def test_a_learnt_limit_bounds_the_next_answer() -> None:
    known = Restrictions(limits=Overflow(4096))
    long = body("s", "u" * 9000, max_tokens=10_000)
    assert AdaptedRequest.of(long, known).body["max_tokens"] == 4096 - 3000
    assert AdaptedRequest.of(body("s", "u", max_tokens=100), known).body["max_tokens"] == 100


def test_shortening_ends() -> None:
    said = failed("the context size has been exceeded")
    adapted: AdaptedRequest | None = AdaptedRequest.of(body("s", "u" * 100_000), Restrictions())
    rounds = 0
    while adapted is not None:
        adapted = adapted.after(said)
        rounds += 1
    assert rounds <= 8
