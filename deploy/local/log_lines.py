"""Prints or stores the output lines of several processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from rich.text import Text

from deploy.terminal import Terminal

COLOURS = {
    "gateway": "cyan",
    "planner": "magenta",
    "executor": "green",
    "scheduler": "yellow",
    "projector": "blue",
    "nats": "bright_black",
}


def is_informational(name: str, line: str) -> bool:
    """Whether the line is an informational line of nats-server."""
    return name == "nats" and "[INF]" in line


class LinePrinter:
    """Prints each line after the coloured name of its process."""

    def __init__(self, console: Terminal, names: Iterable[str]) -> None:
        self._console = console
        self._width = max(map(len, names))

    def __call__(self, name: str, line: str) -> None:
        if is_informational(name, line):
            return
        colour = COLOURS.get(name.partition("-")[0], "default")
        self._console.print(Text.assemble((f"{name:<{self._width}} │ ", colour), line), soft_wrap=True)


class LineFile:
    """Writes each line to a file. Use it with `with`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[str] | None = None

    def __enter__(self) -> Self:
        self._file = self.path.open("w", encoding="utf-8", buffering=1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file:
            self._file.close()

    def __call__(self, name: str, line: str) -> None:
        if self._file and not is_informational(name, line):
            self._file.write(f"{name} | {line}\n")

    def tail(self, lines: int) -> str:
        """Return the last lines of the file."""
        with self.path.open(encoding="utf-8") as file:
            return "".join(deque(file, maxlen=lines))
