"""Fills prompt templates: `{{tools}}`, `{{ currentDate }}` and others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

import orjson

from contracts.core.event import Json
from contracts.core.tool import ToolSpec

_NAME = re.compile(r"\{\{\s*(\w+)\s*\}\}", re.ASCII)


def fill(template: str, values: Mapping[str, Json]) -> str:
    """`template` with each `{{name}}` in `values` replaced. Case, and spaces inside the braces, are ignored.

    Text is inserted unchanged, other values as indented JSON. Inserted text is not searched again.
    """
    by_name = {name.lower(): value for name, value in values.items()}

    def inserted(match: re.Match[str]) -> str:
        name = match[1].lower()
        return _text(by_name[name]) if name in by_name else match[0]

    return _NAME.sub(inserted, template)


def dates(now: datetime) -> dict[str, Json]:
    """The template values for the current time, in the time zone of `now`."""
    text = date_text(now)
    return {"currentDate": text, "Today": text}


def date_text(now: datetime) -> str:
    """A date and time in US format: `11/23/2026, 6:45:42 AM`."""
    half = "AM" if now.hour < 12 else "PM"
    return f"{now.month}/{now.day}/{now.year}, {now.hour % 12 or 12}:{now:%M:%S} {half}"


def tool_texts(tools: Sequence[ToolSpec]) -> dict[str, Json]:
    """The template values for the tools that are offered by default.

    `tools` is their definitions as JSON, `toolsList` their names and descriptions;
    `skills` is always "none": there are no skills.
    """
    offered = [tool for tool in tools if tool.by_default]
    return {
        "tools": orjson.dumps([tool.as_function() for tool in offered]).decode(),
        "toolsList": "\n".join(f"- {tool.name}: {tool.description}" for tool in offered),
        "skills": "none",
    }


def _text(value: Json) -> str:
    return value if isinstance(value, str) else orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
