"""Who is alive, and which tools can be called because of that."""

from __future__ import annotations

import pytest

from contracts.core.tool import Effect, ToolSpec
from contracts.domain.executors import INTERVAL_S, SILENCE_S, Executors
from contracts.domain.executors import ExecutorAlive as Alive
from contracts.runtime.catalogue import Catalogue


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def executors(clock: Clock) -> Executors:
    return Executors(clock)


def record_heartbeat(executors: Executors, instance: str, *tools: str) -> None:
    executors.record_heartbeat(Alive(instance=instance, capacity=1, tools=tools).model_dump_json().encode())


def live_through_silence(clock: Clock, executors: Executors, *signs: Alive) -> None:
    """Time in which only these executors are heard, until every other is gone."""
    until = clock.now + SILENCE_S + INTERVAL_S
    while clock.now < until:
        clock.now += INTERVAL_S
        for sign in signs:
            executors.record_heartbeat(sign.model_dump_json().encode())


def test_an_executor_that_falls_silent_is_gone(clock: Clock, executors: Executors) -> None:
    record_heartbeat(executors, "host-1")
    clock.now += SILENCE_S - 1
    record_heartbeat(executors, "host-2")
    assert [executor.instance for executor in executors.alive()] == ["host-1", "host-2"]
    clock.now += 2
    assert [executor.instance for executor in executors.alive()] == ["host-2"]


@pytest.mark.parametrize("payload", [b"", b"nonsense", b'{"instance":"x"}'])
def test_an_invalid_heartbeat_is_refused(executors: Executors, payload: bytes) -> None:
    with pytest.raises(ValueError, match="ExecutorAlive"):
        executors.record_heartbeat(payload)
    assert executors.alive() == ()


def test_a_tool_that_nobody_alive_can_call_is_hidden(clock: Clock, executors: Executors) -> None:
    specs = [
        ToolSpec(name=name, description="", parameters={}, effect=Effect.READ) for name in ("both", "gone")
    ]
    catalogue = Catalogue(specs, executors.offered)
    before = catalogue.revision
    assert [spec.name for spec in catalogue.all()] == ["both", "gone"], "nobody was heard: all are shown"
    record_heartbeat(executors, "vanishes", "both", "gone")
    live_through_silence(clock, executors, Alive(instance="stays", capacity=1, tools=("both",)))
    assert [spec.name for spec in catalogue.all()] == ["both"]
    assert (catalogue.get("gone"), catalogue.get("both")) == (None, specs[0])
    assert catalogue.revision != before, "what was approved with the tools of before is to be looked at again"


def test_as_long_as_one_alive_does_not_tell_its_tools_they_are_not_known(
    clock: Clock, executors: Executors
) -> None:
    tells = Alive(instance="tells", capacity=1, tools=("a",))
    live_through_silence(clock, executors, Alive(instance="older", capacity=1), tells)
    assert executors.offered() is None
    live_through_silence(clock, executors, tells)
    assert executors.offered() == frozenset("a")


def test_a_new_listener_waits_until_every_executor_has_been_heard(clock: Clock, executors: Executors) -> None:
    """Else tools of those that speak a moment later would be gone at every start, and after an outage."""
    for _ in range(2):
        record_heartbeat(executors, "first", "a")
        assert executors.offered() is None
        both = (
            Alive(instance="first", capacity=1, tools=("a",)),
            Alive(instance="b", capacity=1, tools=("b",)),
        )
        live_through_silence(clock, executors, *both)
        assert executors.offered() == frozenset("ab")
        clock.now += SILENCE_S
        assert executors.offered() is None


def test_two_processes_of_one_name_offer_the_tools_of_both(clock: Clock, executors: Executors) -> None:
    both = Alive(instance="x", capacity=1, tools=("a",)), Alive(instance="x", capacity=1, tools=("b",))
    live_through_silence(clock, executors, *both)
    assert executors.offered() == frozenset("ab")
