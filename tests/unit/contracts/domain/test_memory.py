"""What is recalled of the runs of a goal, and what came of its webhook."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from contracts.domain import memory, webhook
from contracts.domain.memory import MEMORY, RECALLED, RECALLED_CHARS, Kept, Kind, Memory
from contracts.domain.webhook import WEBHOOK, AttemptFailed, Delivered

Given = Callable[..., Any]

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://a.org/hook"


def note(content: str, run_id: str = "run_1", kind: Kind = Kind.NOTE) -> Memory:
    return Memory(type=kind, content=content, run_id=run_id)


def kept(run_id: str, added: list[Memory], recalled: list[Memory] | None = None) -> Kept:
    return Kept(run_id=run_id, added=tuple(added), recalled=tuple(recalled or added))


def test_memories_of_a_run_are_kept_once(given: Given) -> None:
    given(MEMORY).when(memory.keep, "run_1", [note("a")]).then_once(kept("run_1", [note("a")]))


def test_memories_of_a_run_are_kept_once_however_many_others_were_kept_since(given: Given) -> None:
    history = [kept("run_0", [note("a", "run_0")])]
    history += [kept(f"run_{n}", [note(str(n), f"run_{n}")]) for n in range(1, RECALLED + 2)]
    given(MEMORY, *history).when(memory.keep, "run_0", [note("a", "run_0")]).then_nothing()


def test_a_run_without_memories_writes_nothing(given: Given) -> None:
    given(MEMORY).when(memory.keep, "run_1", []).then_nothing()


def test_memories_are_recalled_in_the_order_of_runs(given: Given) -> None:
    first, second = note("a"), note("b", "run_2")
    given(MEMORY, kept("run_1", [first])).when(memory.keep, "run_2", [second]).then(
        kept("run_2", [second], [first, second])
    )


def test_a_repeated_memory_counts_as_new(given: Given) -> None:
    history = kept("run_1", [note("a"), note("b")])
    again = note("a", "run_2")
    given(MEMORY, history).when(memory.keep, "run_2", [again]).then(
        kept("run_2", [again], [note("b"), again])
    )


def test_the_newest_are_recalled_and_long_ones_say_what_was_left_out(given: Given) -> None:
    many = [note(str(n)) for n in range(RECALLED + 5)]
    (event,) = memory.keep(memory.State(), "run_1", [*many, note("x" * (RECALLED_CHARS + 7))])
    assert isinstance(event, Kept)
    assert len(event.recalled) == RECALLED
    assert event.recalled[-1].content.endswith("… (7 more characters left out)")
    assert event.added[-1].content == "x" * (RECALLED_CHARS + 7)


def test_a_webhook_is_settled_by_its_delivery_or_by_the_last_failure(given: Given) -> None:
    later = AttemptFailed(url=URL, attempt=1, error="busy", retry_at=NOW)
    gone = AttemptFailed(url=URL, attempt=2, error="gone")
    delivered = Delivered(url=URL, attempt=2, status=200)
    given(WEBHOOK).when(webhook.settle, later).then_once(later)
    assert not given(WEBHOOK, later).state.is_settled
    for end in (gone, delivered):
        given(WEBHOOK, later).when(webhook.settle, end).then_once(end)
        assert given(WEBHOOK, later, end).state.is_settled
    given(WEBHOOK, later, gone).when(webhook.settle, delivered).then_nothing()
