"""Tables and records that never cut ids. Other columns are omitted if the terminal is too narrow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

GAP = 3
"""Characters between two columns of a table."""
INDENT = 2
LAST_COLUMN = 24
"""Width of the last column, unless its content is shorter. Other columns are omitted for it."""
NARROW_COLUMN = 10
"""Minimum width of the last column when no more columns can be omitted."""
VALUE = 16
"""Minimum width of the values of a record, unless they are shorter."""
_ID = re.compile(r"\S*[a-z]_[0-9a-z]{26}\S*")


class Rows:
    """A list with headers. Only the last column wraps.

    If the terminal is too narrow, columns without ids are omitted, starting on the right, and named below the
    table. The first two columns and the last one are never omitted. If that is not enough, the cells of each
    row are printed below each other.
    """

    def __init__(self, headers: Sequence[str], rows: Sequence[Sequence[Text]]) -> None:
        self._headers = headers
        self._rows = rows
        self._needs = [max((needs(row[number]) for row in rows), default=0) for number in range(len(headers))]
        self.needs = max(self._needs)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        kept = self._fitting(options.max_width)
        if kept is None:
            yield from self._stacked()
            return
        yield self._table(kept, ruled=console.is_terminal)
        if left_out := [header for number, header in enumerate(self._headers) if number not in kept]:
            yield Text(f"no room for: {', '.join(left_out)}", style="dim")

    def _fitting(self, width: int) -> list[int] | None:
        """Return the columns to show, or None if those that are never omitted do not fit."""
        kept = list(range(len(self._headers)))
        while self._total(kept, LAST_COLUMN) > width:
            if not (optional := [number for number in kept[2:-1] if not self._needs[number]]):
                return kept if self._total(kept, NARROW_COLUMN) <= width else None
            kept.remove(optional[-1])
        return kept

    def _total(self, kept: Sequence[int], last: int) -> int:
        return sum(self._width(number, last) for number in kept) + GAP * (len(kept) - 1)

    def _width(self, number: int, last: int) -> int:
        """The width that a column needs. The last one wraps at `last` characters."""
        cells = [row[number] for row in self._rows]
        widest = max((cell.cell_len for cell in cells), default=0)
        if number == len(self._headers) - 1:
            words = max(map(len, self._headers[number].split()), default=0)
            return max(min(widest, last), self._needs[number], words)
        return max(widest, len(self._headers[number]))

    def _table(self, kept: Sequence[int], *, ruled: bool) -> Table:
        shape = box.SIMPLE_HEAD if ruled else None
        table = Table(box=shape, show_edge=False, pad_edge=False, padding=(0, 1) if ruled else (0, GAP, 0, 0))
        for number in kept:
            is_last = number == kept[-1]
            table.add_column(self._headers[number], no_wrap=not is_last, overflow="fold")
        for row in self._rows:
            table.add_row(*(row[number] for number in kept))
        return table

    def _stacked(self) -> Iterator[RenderableType]:
        for first, *others in self._rows:
            yield first
            for header, cell in zip(self._headers[1:], others, strict=True):
                if cell.plain:
                    yield Padding(
                        Text.assemble((f"{header}  ", "bold"), cell, overflow="fold"), (0, 0, 0, INDENT)
                    )


class Record:
    """Names and values. If the terminal is too narrow, values are printed below their names."""

    def __init__(self, fields: Sequence[tuple[str, Text | Rows | Record]]) -> None:
        self._fields = fields
        self._names = max((len(name) for name, _ in fields), default=0)
        self._values = max((needs(value) for _, value in fields), default=0)
        self.needs = self._values + INDENT

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[RenderableType]:
        if self._names + INDENT + max(self._values, VALUE) > options.max_width:
            for name, value in self._fields:
                yield Group(Text(name, style="bold"), Padding(value, (0, 0, 0, INDENT)))
            return
        table = Table.grid(padding=(0, INDENT, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in self._fields:
            table.add_row(name, value)
        yield table


def needs(value: Text | Rows | Record) -> int:
    """Return the width of the longest word that contains an id."""
    if isinstance(value, Text):
        return max(map(len, _ID.findall(value.plain)), default=0)
    return value.needs
