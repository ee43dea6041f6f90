"""What the API answers, as people like to read it: tables of lists, records of single things."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel
from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from contracts.core.event import Json
from deploy.cli.columns import COLUMNS, ROWS

PIPE_WIDTH = 10_000
"""Where no terminal limits a row, it is one line."""
CELL_CHARACTERS = 200
COLOURS = {
    "active": "green",
    "completed": "green",
    "success": "green",
    "fired": "green",
    "running": "cyan",
    "planning": "cyan",
    "waiting": "yellow",
    "suspended": "yellow",
    "paused": "yellow",
    "failed": "red",
    "missed": "red",
}
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def show(answer: object, output: Console, notes: Console) -> None:
    """Print an answer; `notes` gets what is not part of it."""
    if not output.is_terminal:
        output.width = PIPE_WIDTH
    match answer:
        case None:
            notes.print("done")
        case [str(), *_]:
            output.out("\n".join(map(str, answer)), highlight=False)
        case list():
            _show_rows(answer, output, notes)
        case BaseModel() if type(answer) in ROWS:
            _show_rows(getattr(answer, ROWS[type(answer)]), output, notes)
            _show_place(answer, notes)
        case BaseModel():
            output.print(record_of(answer))


def table_of(rows: Sequence[BaseModel]) -> Table:
    """Rows of one kind, which must be some, by the columns of their kind."""
    columns = COLUMNS[type(rows[0])]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for column in columns:
        table.add_column(_words(column.rpartition(".")[2]), no_wrap=column is not columns[-1])
    for row in rows:
        given = row.model_dump(mode="json", by_alias=True)
        table.add_row(*(_cell(_at(given, column.split("."))) for column in columns))
    return table


def record_of(answer: BaseModel) -> Table:
    """Everything that is known of one thing."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    given = answer.model_dump(mode="json", by_alias=True)
    for name, field in type(answer).model_fields.items():
        key = field.serialization_alias or name
        if given.get(key) not in (None, [], {}):
            table.add_row(_words(key), _value(getattr(answer, name), given[key]))
    return table


def _show_rows(rows: Sequence[BaseModel], output: Console, notes: Console) -> None:
    if rows:
        output.print(table_of(rows))
    else:
        notes.print("none")


def _show_place(answer: BaseModel, notes: Console) -> None:
    page = getattr(answer, "pagination", None)
    if page and page.offset + page.count < page.total:
        notes.print(f"{page.count} of {page.total}; more with --offset {page.offset + page.count}")


def _value(value: object, given: Json) -> RenderableType:
    match value:
        case BaseModel():
            return record_of(value)
        case [BaseModel() as first, *_] if type(first) in COLUMNS:
            return table_of([row for row in value if isinstance(row, BaseModel)])
        case dict() | [BaseModel() | dict(), *_]:
            return Text(json.dumps(given, indent=2, ensure_ascii=False))
        case list():
            return Text(", ".join(map(_plain, given)))
    return _text(given)


def _cell(value: Json) -> Text:
    text = _text(value)
    first, *more = text.plain.split("\n", 1)
    if more or len(first) > CELL_CHARACTERS:
        return Text(f"{first[:CELL_CHARACTERS]} …", style=text.style)
    return text


def _text(value: Json) -> Text:
    return Text(_plain(value), style=COLOURS.get(value, "") if isinstance(value, str) else "")


def _plain(value: Json) -> str:
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str() if _TIME.fullmatch(value):
            return datetime.fromisoformat(value).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case list():
            return ", ".join(map(_plain, value))
        case dict():
            return json.dumps(value, ensure_ascii=False)
    return str(value)


def _at(value: Json, names: Sequence[str]) -> Json:
    """What is at a path; of a list, what is there in each of its items."""
    for position, name in enumerate(names):
        if isinstance(value, list):
            return [_at(item, names[position:]) for item in value]
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _words(name: str) -> str:
    """`createdAt` as `created at`."""
    return _HUMP.sub(" ", name).lower()
