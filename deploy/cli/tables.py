"""Prints answers of the API for people: tables for lists, records for single rows."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel
from rich.text import Text

from contracts.core.event import Json
from deploy.cli.columns import COLUMNS, HEADINGS, LISTS, NULLS
from deploy.cli.layout import Record, Rows
from deploy.cli.values import cell_of, text_of, value_at, words, zone_of
from deploy.terminal import Terminal


def show(answer: object, output: Terminal, notes: Terminal) -> None:
    """Print an answer on `output`, and notes about it on `notes`."""
    rows = getattr(answer, LISTS[type(answer)]) if type(answer) in LISTS else answer
    match rows:
        case None:
            notes.note("done")
        case []:
            notes.note("none")
        case [str(), *_]:
            output.literal("\n".join(map(str, rows)))
        case list():
            output.print_whole(rows_of(rows))
        case BaseModel():
            output.print_whole(record_of(rows))
    show_page(answer, notes)


def show_page(answer: object, notes: Terminal) -> None:
    """Print how to get the next page if `answer` is one page of a list."""
    page = getattr(answer, "pagination", None)
    if page and page.offset + page.count < page.total:
        notes.note(f"{page.count} of {page.total}; more with --offset {page.offset + page.count}")


def rows_of(rows: Sequence[BaseModel]) -> Rows:
    """Return a table of rows of one type, with the columns of the type."""
    columns = COLUMNS[type(rows[0])]
    cells = []
    for row in rows:
        given = row.model_dump(mode="json", by_alias=True)
        zone = zone_of(given)
        cells.append([cell_of(value_at(given, column.split(".")), zone) for column in columns])
    return Rows(headings(columns), cells)


def headings(columns: Sequence[str]) -> list[str]:
    """The last part of each path; with the part before it where another column ends the same."""
    ends = [column.rpartition(".")[2] for column in columns]
    return [
        HEADINGS.get(column) or " ".join(map(words, column.split(".")[-2 if ends.count(end) > 1 else -1 :]))
        for column, end in zip(columns, ends, strict=True)
    ]


def record_of(answer: BaseModel) -> Record:
    """Return a record with the fields of an answer that are not empty, or whose null means something."""
    given = answer.model_dump(mode="json", by_alias=True)
    fields: list[tuple[str, Text | Rows | Record]] = []
    for name, field in type(answer).model_fields.items():
        key = field.serialization_alias or name
        if given.get(key) is None and (meaning := NULLS.get((type(answer), key))):
            fields.append((words(key), text_of(meaning)))
        elif given.get(key) not in (None, [], {}):
            fields.append((words(key), _value(getattr(answer, name), given[key], given)))
    return Record(fields)


def _value(value: object, given: Json, owner: dict[str, Json]) -> Text | Rows | Record:
    match value:
        case BaseModel():
            return record_of(value)
        case [BaseModel() as first, *_] if type(first) in COLUMNS:
            return rows_of([row for row in value if isinstance(row, BaseModel)])
        case dict() | [BaseModel() | dict(), *_]:
            return Text(json.dumps(given, indent=2, ensure_ascii=False))
    return text_of(given, zone_of(owner))
