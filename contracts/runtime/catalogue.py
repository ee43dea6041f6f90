"""The catalogue of tools. Executors publish their tools; all services list those that can be called."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from functools import partial

import structlog
from nats.aio.msg import Msg
from nats.js.kv import KV_OP
from pydantic import ValidationError

from contracts.core.tool import CATALOGUE_BUCKET, ToolSpec
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.ordered import Ordered
from contracts.runtime.nats.retry import asking, retry_until
from contracts.runtime.wire import COPIED

logger = structlog.get_logger(__name__)

DEADLINE_S = 30.0
_STREAM = f"KV_{CATALOGUE_BUCKET}"
_PREFIX = f"$KV.{CATALOGUE_BUCKET}."

Revision = tuple[int, frozenset[str] | None]


def _not_known() -> None:
    return None


class Catalogue:
    """The tools by name, in memory. `watch` keeps it equal to the KV bucket; tests call `add`.

    The bucket keeps the tools of executors that no longer run. Therefore only tools whose name is in
    `offered()` are listed: the tools that a running executor can call. None: unknown, all tools are listed.
    """

    def __init__(
        self, specs: Iterable[ToolSpec] = (), offered: Callable[[], frozenset[str] | None] = _not_known
    ) -> None:
        self._specs: dict[str, ToolSpec] = {}
        self._known = asyncio.Event()
        self._offered = offered
        self._changes = 0
        for spec in specs:
            self.add(spec)

    def get(self, name: str) -> ToolSpec | None:
        """The tool `name`; None if it does not exist or is not offered."""
        offered = self._offered()
        return self._specs.get(name) if offered is None or name in offered else None

    def all(self) -> list[ToolSpec]:
        """All offered tools, sorted by `order` and name."""
        offered = self._offered()
        shown = [spec for spec in self._specs.values() if offered is None or spec.name in offered]
        return sorted(shown, key=lambda spec: (spec.order, spec.name))

    def published(self) -> dict[str, ToolSpec]:
        """All tools that an executor ever published, by name, whether they are offered or not."""
        return dict(self._specs)

    @property
    def revision(self) -> Revision:
        """A value that changes whenever the result of `all` may change; for caches."""
        return self._changes, self._offered()

    async def known(self) -> None:
        """Wait until a tool has been added."""
        await self._known.wait()

    def add(self, spec: ToolSpec) -> None:
        """Add or replace a tool."""
        self._specs[spec.name] = spec
        self._changes += 1
        self._known.set()

    def remove(self, name: str) -> None:
        """Remove a tool, if present."""
        self._specs.pop(name, None)
        self._changes += 1


async def publish(connection: Connection, specs: Iterable[ToolSpec]) -> None:
    """Write `specs` to the KV bucket. If several executors write the same name, the last one wins.

    Raises:
        Unavailable: NATS could not be reached.
    """
    for spec in specs:
        await retry_until(partial(_put, connection, spec), deadline_s=DEADLINE_S)


async def watch(connection: Connection, catalogue: Catalogue) -> None:
    """A worker that applies every change of the KV bucket to `catalogue`, until cancelled."""
    ordered = Ordered(connection, _STREAM, (f"{_PREFIX}>",), after=0)
    async with aclosing(ordered.batches()) as batches:
        async for batch in batches:
            for _, msg in batch:
                _apply(catalogue, msg)


async def _put(connection: Connection, spec: ToolSpec) -> None:
    with asking():
        bucket = await connection.js.key_value(CATALOGUE_BUCKET)
        await bucket.put(spec.name, spec.model_dump_json().encode())


def _apply(catalogue: Catalogue, msg: Msg) -> None:
    name = msg.subject.removeprefix(_PREFIX)
    if msg.headers and COPIED in msg.headers:
        logger.warning("ignoring a tool that no executor has published", tool=name)
        return
    if msg.headers and KV_OP in msg.headers:
        catalogue.remove(name)
        return
    try:
        catalogue.add(ToolSpec.model_validate_json(msg.data))
    except ValidationError as error:
        logger.warning("ignoring a tool with an invalid specification", tool=name, error=str(error))
