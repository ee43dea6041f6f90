"""Server-sent events as their reader sees them: bytes in, messages out. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One event of a stream."""

    event: str
    data: str
    id: str | None = None
    """Where to go on after it; None when it has no place of its own."""


class Parser:
    """Takes a stream apart, however it was cut into pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[Message]:
        """The messages that `piece` completes. One whose empty line has not come yet is not told."""
        blocks = (self._rest + piece.replace(b"\r", b"")).split(b"\n\n")
        self._rest = blocks.pop()
        for block in blocks:
            if message := _message(block.decode("utf-8", "replace")):
                yield message


def _message(block: str) -> Message | None:
    """None for a block without data, such as a comment that keeps the connection open."""
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
