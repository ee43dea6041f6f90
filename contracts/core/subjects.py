"""The names on the bus. No other module spells one out."""

from __future__ import annotations

from contracts.core.ids import require_id

STREAM = "LOG"
EVERYTHING = "evt.>"

PROJECTED = "live.projected"
"""Core NATS: the stream sequence the views have reached, as decimal text."""


def commit_subject(aggregate: str, aggregate_id: str, state: str) -> str:
    """`evt.run.<id>.completed`: whose commit it is and the state it leaves the aggregate in."""
    return f"evt.{aggregate}.{require_id(aggregate_id)}.{state}"


def commit_address(aggregate: str) -> str:
    """The subjects of the commits of one kind, with names in braces for what differs, as AsyncAPI has it."""
    return f"evt.{aggregate}.{{id}}.{{state}}"


def aggregate_filter(aggregate: str, aggregate_id: str) -> str:
    """Every commit of one aggregate: the subject the optimistic lock is taken on."""
    return f"evt.{aggregate}.{require_id(aggregate_id)}.>"


def state_filter(aggregate: str, state: str = "*") -> str:
    """Every commit that leaves any aggregate of this kind in `state`."""
    return f"evt.{aggregate}.*.{state}"


def live_run(run_id: str) -> str:
    """Core NATS: progress of one run that is not worth storing."""
    return f"live.run.{require_id(run_id)}"


LIVE_RUNS = "live.run.*"

PARKED_STREAM = "PARKED"
PARKED = "parked.>"

REPLAY_STREAM = "REPLAY"
REPLAYS = "replay.>"


def parked(consumer: str, seq: int) -> str:
    """Where `consumer` puts message `seq` of the log when it gives up on it."""
    return f"parked.{require_id(consumer)}.{seq}"


def replay(consumer: str, seq: int) -> str:
    """Where an operator puts it back so that `consumer`, and no other, tries again."""
    return f"replay.{require_id(consumer)}.{seq}"


def replay_filter(consumer: str) -> str:
    """Everything put back for `consumer`."""
    return f"replay.{require_id(consumer)}.*"


EXECUTOR_ALIVE = "live.executor"
"""Core NATS, every 2 seconds from each executor: a `contracts.domain.executors.ExecutorAlive` as JSON."""
