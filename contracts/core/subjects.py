"""Names of NATS subjects and streams. No other module contains them as literals."""

from __future__ import annotations

from contracts.core.ids import require_id

STREAM = "LOG"
EVERYTHING = "evt.>"

PROJECTED = "live.projected"
"""Core NATS: the stream sequence that the views include, as decimal text."""


def commit_subject(aggregate: str, aggregate_id: str, state: str) -> str:
    """The subject of a commit: aggregate, id and new state, for example `evt.run.<id>.completed`."""
    return f"evt.{aggregate}.{require_id(aggregate_id)}.{state}"


def is_subject_of(subject: str, aggregate: str, aggregate_id: str, state: str) -> bool:
    """Whether `subject` is that of a commit. Any texts are allowed."""
    return subject == f"evt.{aggregate}.{aggregate_id}.{state}"


def commit_address(aggregate: str) -> str:
    """The AsyncAPI channel address of the commits of one kind of aggregate, with parameters in braces."""
    return f"evt.{aggregate}.{{id}}.{{state}}"


def aggregate_filter(aggregate: str, aggregate_id: str) -> str:
    """Subject filter for all commits of one aggregate. The optimistic lock uses it."""
    return f"evt.{aggregate}.{require_id(aggregate_id)}.>"


def state_filter(aggregate: str, state: str = "*") -> str:
    """Subject filter for all commits of one kind of aggregate that end in `state`; `*`: any state."""
    return f"evt.{aggregate}.*.{state}"


def live_run(run_id: str) -> str:
    """Core NATS: ephemeral progress messages of one run."""
    return f"live.run.{require_id(run_id)}"


LIVE_RUNS = "live.run.*"

PARKED_STREAM = "PARKED"
PARKED = "parked.>"

REPLAY_STREAM = "REPLAY"
REPLAYS = "replay.>"


def parked(consumer: str, seq: int) -> str:
    """The subject on which `consumer` parks message `seq` of the log when it gives up."""
    return f"parked.{require_id(consumer)}.{seq}"


def replay(consumer: str, seq: int) -> str:
    """The subject on which an operator sends message `seq` of the log to `consumer` again, and only to it."""
    return f"replay.{require_id(consumer)}.{seq}"


def replay_filter(consumer: str) -> str:
    """Subject filter for all messages that operators have sent to `consumer` again."""
    return f"replay.{require_id(consumer)}.*"


EXECUTOR_ALIVE = "live.executor"
"""Core NATS: each executor publishes a `contracts.domain.executors.ExecutorAlive` as JSON every 2 seconds."""
