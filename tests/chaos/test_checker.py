"""The checker finds what it is there to find, in histories made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chaos import checker
from tests.chaos.checker import Commit, History
from tests.chaos.replicas import check_replicas
from tests.chaos.world import Accepted

TICK = {"tick": "2026-01-01T09:00:00Z", "decision": "fired", "run_id": "r1"}


def history(*events: tuple[str, dict[str, Any]], state: str = "completed", id_: str = "r1") -> History:
    """One aggregate's events, each in a commit of its own, the last of which leads to `state`."""
    return History(
        [
            Commit(
                seq,
                f"evt.{kind.split('.')[0]}.{id_}.{state if seq == len(events) else 'running'}",
                [{"id": f"c{seq}.0", "type": kind, "subject": id_, "version": seq, "data": data}],
            )
            for seq, (kind, data) in enumerate(events, 1)
        ]
    )


REQUESTED = ("run.requested", {"trigger": "api", "original_request": "k"})
STARTED = ("run.steps_started", {"steps": ["1"]})
RETRIED = ("run.step_failed", {"step": "1", "retry_at": "2026-01-01T09:00:00Z"})
COMPLETED = ("run.step_completed", {"step": "1"})
Happened = tuple[str, dict[str, Any]]
ENDED: Happened = ("run.completed", {})
SUSPENDED: Happened = ("run.suspended", {})
RESUMED: Happened = ("run.resumed", {})
GOOD = history(REQUESTED, STARTED, COMPLETED, ENDED)
EFFECT = {"key": "r1/1", "effect": "once", "tool": "t"}


def test_a_good_history_is_found_good() -> None:
    checks: list[Iterator[str]] = [
        checker.check_versions(GOOD),
        checker.check_runs(GOOD),
        checker.check_accepted(GOOD, [Accepted("execution", "k", {"executionId": "r1"})]),
        checker.check_effects(GOOD, [EFFECT]),
        checker.check_blobs(History([], {"h": "h"})),
        checker.check_ticks(history(("schedule.ticked", TICK), id_="s1")),
        checker.check_stream(GOOD, ["c1.0", "c2.0", "c3.0", "c4.0"]),
        checker.check_views(GOOD, {"r1": "completed"}),
    ]
    assert [violation for check in checks for violation in check] == []


def gap(good: History) -> History:
    return History([good.commits[0], *good.commits[2:]])


def twice(good: History) -> History:
    return History([*good.commits, good.commits[-1]])


@pytest.mark.parametrize("spoil", [gap, twice])
def test_a_gap_and_a_repetition_of_versions_are_found(spoil: Callable[[History], History]) -> None:
    assert list(checker.check_versions(spoil(GOOD)))


@pytest.mark.parametrize(
    ("spoiled", "found"),
    [
        (history(REQUESTED, STARTED, COMPLETED, COMPLETED, ENDED), "1 completes 2 times"),
        (history(REQUESTED, ENDED, ENDED), "ends twice"),
        (history(REQUESTED, STARTED, state="suspended"), "has not ended: it is suspended"),
        (
            history(*[("run.call_answered", {"turn": 1, "position": 0})] * 2, ENDED),
            "1.0 completes 2 times",
        ),
    ],
)
def test_a_repeated_event_of_a_run_is_found(spoiled: History, found: str) -> None:
    assert [one for one in checker.check_runs(spoiled) if found in one]


def test_a_run_may_end_again_after_it_was_resumed() -> None:
    assert not list(checker.check_runs(history(REQUESTED, ENDED, RESUMED, ENDED)))


def test_an_accepted_run_that_is_missing_is_found() -> None:
    lost = [
        Accepted("execution", "k", {"executionId": "r2"}),
        Accepted("run", "k", {"runId": "r3"}),
        Accepted("goal", "k", {"id": "g1"}),
        Accepted("schedule", "k", {"dagId": "d1"}),
    ]
    assert len(list(checker.check_accepted(GOOD, lost))) == 4
    again = history(REQUESTED, id_="r2")
    assert list(checker.check_accepted(History(GOOD.commits + again.commits), [])) == [
        "k was executed 2 times"
    ]


@pytest.mark.parametrize(
    ("events", "allowed"),
    [
        pytest.param([STARTED], 1, id="started"),
        pytest.param([STARTED, STARTED], 1, id="started again unasked"),
        pytest.param([STARTED, RETRIED, STARTED], 2, id="it said that it failed"),
        pytest.param([STARTED, SUSPENDED, RESUMED, STARTED], 2, id="resumed"),
        pytest.param([], 0, id="never started"),
    ],
)
def test_an_effect_more_than_the_log_allows_is_found(
    events: list[tuple[str, dict[str, Any]]], allowed: int
) -> None:
    of_run = history(REQUESTED, *events, ENDED)
    assert not list(checker.check_effects(of_run, [EFFECT] * allowed))
    assert list(checker.check_effects(of_run, [EFFECT] * (allowed + 1)))


def test_blobs_that_are_missing_or_damaged_are_found() -> None:
    found = list(checker.check_blobs(History([], {"a": None, "b": "c", "d": "d"})))
    assert found == ["blob a is missing", "blob b is damaged"]


def test_a_tick_that_is_recorded_twice_is_found() -> None:
    found = list(checker.check_ticks(history(*[("schedule.ticked", TICK)] * 2, id_="s1")))
    assert len(found) == 2


@pytest.mark.parametrize(
    "told",
    [["c1.0", "c2.0", "c3.0"], ["c1.0", "c1.0", "c2.0", "c3.0", "c4.0"], ["c2.0", "c1.0", "c3.0", "c4.0"]],
)
def test_a_stream_that_differs_from_the_log_is_found(told: list[str]) -> None:
    assert list(checker.check_stream(GOOD, told))


@pytest.mark.parametrize(
    "told", [["1"], ["execution.completed"], ["1", "1", "execution.completed"], ["execution.completed", "1"]]
)
def test_a_stream_of_an_execution_that_differs_from_the_log_is_found(told: list[str]) -> None:
    assert not list(checker.check_execution_streams(GOOD, {"r1": ["1", "execution.completed"]}))
    assert list(checker.check_execution_streams(GOOD, {"r1": told}))


GOAL = history(("run.goal_requested", {"webhook_url": "http://sink/k"}), ("run.goal_completed", {}))
CALL = history(("webhook.delivered", {}), state="delivered")


@pytest.mark.parametrize(
    ("calls", "arrived", "found"),
    [
        ([], [], "was not delivered"),
        (CALL.commits, [], "did not arrive"),
        (CALL.commits, [("r1", "a"), ("r1", "b")], "came with 2 keys"),
    ],
)
def test_a_webhook_that_is_lost_or_has_several_keys_is_found(
    calls: list[Commit], arrived: list[tuple[str, str]], found: str
) -> None:
    assert not list(checker.check_webhooks(History([*GOAL.commits, *CALL.commits]), [("r1", "a")] * 2))
    assert found in "".join(checker.check_webhooks(History([*GOAL.commits, *calls]), arrived))


def test_a_run_that_is_shown_otherwise_is_found() -> None:
    assert list(checker.check_views(GOOD, {"r1": "running"}))
    assert list(checker.check_views(GOOD, {}))


def test_replicas_that_differ_are_found() -> None:
    same = {1: "a", 2: "b"}
    assert list(check_replicas({"n1": same, "n2": dict(same), "n3": dict(same)})) == []
    (lost, other) = check_replicas({"n1": same, "n2": {1: "a"}, "n3": {1: "x", 2: "b"}})
    assert lost == "n1 and n2 differ in 1 messages, first at seq 2"
    assert other == "n1 and n3 differ in 1 messages, first at seq 1"
