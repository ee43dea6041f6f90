"""Prints the open questions of a run that is watched, with the commands that answer them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime

import orjson

from contracts.api.asks import AskRow
from contracts.client import Client, ClientError
from contracts.core.event import Json
from deploy.cli.values import clock
from deploy.terminal import Terminal

OPENED = "ask.opened"
"""Type of the event that says that a question was asked."""
SHOWN_CHARS = 1000
"""Maximum characters of one line."""
MOST = 100
"""Maximum number of questions that are read at once."""


class OpenAsks:
    """The open questions of one run. Each is printed once."""

    def __init__(self, client: Client, run_id: str, console: Terminal) -> None:
        self._client = client
        self._run_id = run_id
        self._console = console
        self._printed: set[str] = set()

    async def show(self) -> None:
        """Print the questions that were not printed yet. Nothing if the system is not reachable now."""
        with suppress(ClientError):
            page = await self._client.asks.find(status="open", run_id=self._run_id, limit=MOST)
            for ask in reversed(page.asks):
                if ask.id not in self._printed:
                    self._printed.add(ask.id)
                    self._console.note("\n".join(lines_of(ask)))


def lines_of(ask: AskRow) -> Iterator[str]:
    """Return what is asked, and the commands to answer. Only the terminal wraps them, so ids stay whole."""
    yield f"? {ask.step} asks: {_one_line(ask.title)}"
    if ask.kind == "approval":
        yield f"  {ask.tool} {_json(ask.params)}"
    yield f"  {_one_line(ask.why)}"
    if ask.kind == "question" and ask.answer_schema:
        yield f"  JSON Schema of the answer: {_json(ask.answer_schema)}"
    if ask.expires_at is not None:
        yield f"  expires at {clock(datetime.fromtimestamp(ask.expires_at / 1000, UTC))}"
    if ask.kind == "approval":
        yield f"  async-agent asks approve {ask.id}"
    else:
        yield f"  async-agent asks answer {ask.id} {'--value JSON' if ask.answer_schema else 'TEXT'}"
    yield f"  async-agent asks reject {ask.id}"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARS else f"{line[:SHOWN_CHARS]} …"


def _json(value: Json) -> str:
    return _one_line(orjson.dumps(value).decode())
