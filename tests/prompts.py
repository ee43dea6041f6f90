"""What every request to a model must keep to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

from deploy.scripted_llm import Received

_DATA = re.compile(r'<data origin="[^"]*">\n(.*?)\n</data>', re.DOTALL)
SHORTEST, START = 12, 80
"""Shorter data occurs in system messages by chance. Data may be cut there, so its start is searched for."""


def require_untrusted_apart(requests: Iterable[Received]) -> None:
    """Check that no system message contains what the same request marks as data."""
    for request in requests:
        messages = request.body["messages"]
        system = "\n".join(str(one["content"]) for one in messages if one["role"] == "system")
        for data in untrusted(messages):
            assert data[:START] not in system, f"data in a system message: {data[:START]!r}"


def untrusted(messages: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Results of tools, and marked text of user messages."""
    for message in messages:
        text = str(message["content"])
        found = [text] if message["role"] == "tool" else _DATA.findall(text)
        yield from (data.strip() for data in found if len(data.strip()) >= SHORTEST)
