"""The state of a stream, and halting it. The server rejects every message to a halted stream."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from contracts.core.event import Json
from contracts.runtime.log import LogState
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.leader import message_at

HALTED = "async-agent-halted"
"""Key in the stream's metadata: why it is halted."""
ACCEPTED = "async-agent-accepted"
"""Key in the stream's metadata: when an operator last accepted its content."""
NOTHING_FITS = 1
"""Maximum message size of a halted stream. Stored messages are not affected."""
UNLIMITED = -1


def state_of(info: Json) -> LogState:
    """The LogState in an answer to STREAM.INFO."""
    metadata = info["config"].get("metadata") or {}
    return LogState(
        created=info["created"],
        last_seq=int(info["state"]["last_seq"]),
        halted=metadata.get(HALTED, ""),
        accepted=metadata.get(ACCEPTED, ""),
        replicas_behind=sum(not one["current"] or bool(one.get("offline")) for one in _followers(info)),
    )


def _followers(info: Json) -> list[Json]:
    """The replicas besides that of the leader. The server names none for a stream with one replica."""
    return (info.get("cluster") or {}).get("replicas") or []


async def newest(connection: Connection, stream: str, info: Json) -> int:
    """Sequence of the newest stored message. It is below `last_seq` if the last messages were removed.

    Raises:
        NoAnswer: NATS did not answer.
    """
    seq = int(info["state"]["last_seq"])
    if info["state"].get("num_deleted"):
        while seq and await message_at(connection, stream, seq) is None:
            seq -= 1
    return seq if info["state"]["messages"] else 0


async def halt(connection: Connection, stream: str, reason: str) -> None:
    """Reject all messages and store `reason` with the stream. If it is already halted, its reason stays.

    Raises:
        NoAnswer: NATS did not answer.
    """

    def change(config: dict[str, Json], metadata: dict[str, str]) -> None:
        metadata.setdefault(HALTED, reason)
        config["max_msg_size"] = NOTHING_FITS

    await _update(connection, stream, change)


async def accept(connection: Connection, stream: str) -> None:
    """Accept messages again, and store the time as that of the last acceptance.

    Raises:
        NoAnswer: NATS did not answer.
    """

    def change(config: dict[str, Json], metadata: dict[str, str]) -> None:
        metadata.pop(HALTED, None)
        metadata[ACCEPTED] = datetime.now(UTC).isoformat()
        config["max_msg_size"] = UNLIMITED

    await _update(connection, stream, change)


async def _update(
    connection: Connection, stream: str, change: Callable[[dict[str, Json], dict[str, str]], None]
) -> None:
    config = (await connection.api(f"STREAM.INFO.{stream}"))["config"]
    metadata = dict(config.get("metadata") or {})
    change(config, metadata)
    await connection.api(f"STREAM.UPDATE.{stream}", config | {"metadata": metadata})
