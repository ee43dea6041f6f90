"""`async-agent up`: run the whole system on this machine until it is stopped."""

from __future__ import annotations

import asyncio
import os
import shlex
from pathlib import Path

from rich.table import Table
from rich.text import Text

from contracts.api.health import Readiness
from contracts.runtime.nats.address import public
from contracts.runtime.process.settings import Durability
from deploy.local.log_lines import LinePrinter
from deploy.local.system import API, NATS, STOP_WITHIN_S, LocalSystem, Options, local_system, names
from deploy.terminal import Terminal

PROMISES = {
    Durability.FSYNC: "fsync: accepted events survive a power cut",
    Durability.FAST: "fast: a power cut may lose the last two minutes; crashes of processes lose nothing",
}


async def up(options: Options, artifacts: Path, console: Terminal) -> None:
    """Run the system until cancelled. Print its logs and addresses on `console`.

    Only the current user can read its files.

    Raises:
        UserError: the system cannot be started. The message explains what to do.
    """
    os.umask(0o077)
    console.print(f"starting on {options.data} …", style="dim")
    try:
        async with local_system(options, LinePrinter(console, [*names(options), NATS])) as system:
            console.print(overview(system, await system.ready(), options, artifacts))
            await _until_cancelled(console)
    except asyncio.CancelledError:
        console.print("stopped", style="dim")
        raise


async def _until_cancelled(console: Terminal) -> None:
    try:
        await asyncio.Event().wait()
    finally:
        console.print(f"stopping, within {STOP_WITHIN_S:g} s …", style="dim")


def overview(system: LocalSystem, readiness: Readiness, options: Options, artifacts: Path) -> Table:
    """Return a table with the addresses and directories of the system."""
    table = Table(title="Async Agent is up; Ctrl-C stops it", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _facts(system, readiness, options, artifacts):
        table.add_row(name, Text(text))
    return table


def _facts(
    system: LocalSystem, readiness: Readiness, options: Options, artifacts: Path
) -> list[tuple[str, str]]:
    own_nats = system.nats is not None
    configured = readiness.llm == "ok"
    return [
        ("console", system.url + _moved(system, API)),
        ("API", f"{system.url}/api/v1, described at {system.url}/docs"),
        ("NATS", public(system.nats_url) + (_moved(system, NATS) if own_nats else "")),
        *((("NATS, to read", reader_command(system.nats.reader_file)),) if system.nats else ()),
        ("durability", PROMISES[options.durability] if own_nats else "as your NATS is configured"),
        ("data", str(options.data.absolute())),
        ("artifacts", str(artifacts.absolute())),
        ("LLM", f"{readiness.provider}, {readiness.model}" if configured else readiness.llm),
        *(("WARNING", warning) for warning in readiness.warnings.values()),
        *((f"metrics of {name}", url + _moved(system, name)) for name, url in system.metrics.items()),
    ]


def reader_command(file: Path) -> str:
    """Return what sets NATS_URL in a shell, to the address in `file`."""
    return f'NATS_URL="$(cat {shlex.quote(str(file))})"'


def _moved(system: LocalSystem, part: str) -> str:
    """Return a note if a part of the system does not have its default port."""
    default = system.ports.moved.get(part)
    return f"  (port {default} was taken by another program; this one is kept)" if default else ""
