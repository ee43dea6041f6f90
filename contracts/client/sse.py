"""A parser for server-sent events. It does no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a stream."""

    event: str
    data: str
    id: str | None = None
    """Position to resume after this event. None if the event has no position."""


class Parser:
    """Splits a stream into messages. Pieces may end anywhere."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Message]:
        """Yield the messages that `piece` completes. An empty line completes a message."""
        blocks = (self._rest + piece.replace(b"\r", b"")).split(b"\n\n")
        self._rest = blocks.pop()
        for block in blocks:
            if message := _message(block.decode("utf-8", "replace")):
                yield message


def _message(block: str) -> Message | None:
    """Parse a block. Return None if it has no data, such as a comment that keeps the connection open."""
    fields: dict[str, list[str]] = {}
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        fields.setdefault(name, []).append(value.removeprefix(" "))
    if "data" not in fields:
        return None
    return Message(
        event=fields.get("event", ["message"])[-1],
        data="\n".join(fields["data"]),
        id=fields["id"][-1] if "id" in fields else None,
    )
