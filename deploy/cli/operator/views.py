"""`async-agent views`: rebuild the views, or compare them with the log."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text

from contracts.core.subjects import PROJECTED
from contracts.core.user_error import UserError
from contracts.domain.registry import CODEC
from contracts.runtime.nats_log import NatsLog, nats_log
from contracts.runtime.process.settings import Durability, ViewsSettings
from contracts.views import NEXT
from deploy.cli.layout import Rows
from deploy.local.attach import attached
from deploy.terminal import Terminal
from projector.projector import Projector, refuse_if_regressed
from projector.verify import Comparison, verify

PATIENCE_S = 60.0
"""Seconds to wait for a running projector, which notices a missing file within a second. The time of the
rebuild does not count."""

LOOK_S = 1.0

ANY = Durability.FAST
"""A command works with every NATS: what it syncs concerns the services."""


class NoViews(UserError):
    """There is no views file to compare."""


@dataclass(frozen=True)
class Views:
    """A views file and its log."""

    log: NatsLog
    file: Path
    offline: bool
    """Whether no projector can be writing the file."""


@asynccontextmanager
async def views_of(data: Path | None, nats_url: str | None) -> AsyncGenerator[Views]:
    """Open the views of the system on `data`, running or not. Default: the settings of the environment."""
    async with AsyncExitStack() as stack:
        nats = await stack.enter_async_context(attached(data, nats_url))
        settings = ViewsSettings(data_dir=nats.data, nats_url=nats.url, durability=ANY)
        log = await stack.enter_async_context(nats_log(settings, CODEC, name="operator/views"))
        yield Views(log, settings.views_file, nats.offline)


async def rebuild(views: Views, console: Terminal) -> bool:
    """Rebuild the views. Return whether the new views exist.

    A running projector must be the only writer of the file, so the file is removed and the projector rebuilds
    it. If no projector can be running, this process rebuilds the views. The old views stay readable until the
    new views replace them.
    """
    if views.offline:
        await Projector(views.log, views.file, _ignore_position).rebuild()
    else:
        await _rebuild_and_wait(views)
    if views.file.exists():
        console.print(f"{views.file} is rebuilt")
        return True
    console.print(f"{views.file} is removed; the next projector that starts rebuilds it")
    return False


async def _rebuild_and_wait(views: Views) -> None:
    """Remove the views and wait until a projector announces its position, after it opened the new file.

    Raises:
        LogRegressed: the log lacks commits that the views include, so the views must be kept.
    """
    await refuse_if_regressed(views.log, views.file)
    announcements = await views.log.connection.nc.subscribe(PROJECTED)
    views.file.unlink(missing_ok=True)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S) as limit:
            extending = asyncio.create_task(_extend_while_built(limit, views.file))
            try:
                async for _ in announcements.messages:
                    if views.file.exists():
                        return
            finally:
                extending.cancel()


async def _extend_while_built(limit: asyncio.Timeout, file: Path) -> None:
    """Extend the deadline while the new views grow."""
    loop, growing, before = asyncio.get_running_loop(), file.with_name(f"{file.name}{NEXT}-wal"), 0
    while True:
        with contextlib.suppress(FileNotFoundError):
            written = growing.stat().st_mtime_ns
            if written != before:
                before = written
                limit.reschedule(loop.time() + PATIENCE_S)
        await asyncio.sleep(LOOK_S)


async def compare(views: Views, console: Terminal) -> bool:
    """Build the views from the log, compare every row, and print the differences. Return whether all match.

    Raises:
        NoViews: there is no views file.
    """
    try:
        verdict = await verify(views.log, views.file)
    except FileNotFoundError:
        raise NoViews(
            f"there are no views at {views.file}; start a projector, or run `async-agent views rebuild`"
        ) from None
    console.print(f"{verdict.rows} rows, the log up to {verdict.seq}: {_outcome(verdict)}")
    if verdict.differences:
        console.print_whole(_differences(verdict))
    return not verdict.differences


async def _ignore_position(_: int) -> None:
    """Do nothing: no system is running."""


def _outcome(verdict: Comparison) -> str:
    return "the views DIFFER from the log" if verdict.differences else "the views match the log"


def _differences(verdict: Comparison) -> Rows:
    rows = [(one.table, str(one.only_in_views), str(one.only_in_log)) for one in verdict.differences]
    headers = ("table", "rows only in the views", "rows only in the log")
    return Rows(headers, [[Text(cell) for cell in row] for row in rows])
