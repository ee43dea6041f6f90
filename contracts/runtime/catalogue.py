"""The tools there are: published by executors, known to everyone, shown while somebody can call them."""

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

logger = structlog.get_logger(__name__)

DEADLINE_S = 30.0
_STREAM = f"KV_{CATALOGUE_BUCKET}"
_PREFIX = f"$KV.{CATALOGUE_BUCKET}."

Revision = tuple[int, frozenset[str] | None]


def _not_known() -> None:
    return None


class Catalogue:
    """The tools by name, in memory. Tests fill it by hand; `watch` keeps it as the bucket is.

    The bucket keeps what executors told that are long gone. `offered` gives the names of the tools that those
    alive can call, None as long as that is not known; no others are shown.
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
        """The tool called `name`, if there is one."""
        offered = self._offered()
        return self._specs.get(name) if offered is None or name in offered else None

    def all(self) -> list[ToolSpec]:
        """Every tool, in the order of listings."""
        offered = self._offered()
        shown = [spec for spec in self._specs.values() if offered is None or spec.name in offered]
        return sorted(shown, key=lambda spec: (spec.order, spec.name))

    @property
    def revision(self) -> Revision:
        """Another one whenever `all` may be another one."""
        return self._changes, self._offered()

    async def known(self) -> None:
        """Wait until there is a tool at all."""
        await self._known.wait()

    def add(self, spec: ToolSpec) -> None:
        """A new tool, or a new description of one."""
        self._specs[spec.name] = spec
        self._changes += 1
        self._known.set()

    def remove(self, name: str) -> None:
        """The tool is no more."""
        self._specs.pop(name, None)
        self._changes += 1


async def publish(connection: Connection, specs: Iterable[ToolSpec]) -> None:
    """Tell everyone about `specs`. Several executors may do so; the last description of a name counts.

    Raises:
        Unavailable: NATS could not be reached.
    """
    for spec in specs:
        await retry_until(partial(_put, connection, spec), deadline_s=DEADLINE_S)


async def watch(connection: Connection, catalogue: Catalogue) -> None:
    """A worker that keeps `catalogue` as the bucket is, for ever."""
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
    if msg.headers and KV_OP in msg.headers:
        catalogue.remove(name)
        return
    try:
        catalogue.add(ToolSpec.model_validate_json(msg.data))
    except ValidationError as error:
        logger.warning("a tool is described wrongly and is left out", tool=name, error=str(error))
