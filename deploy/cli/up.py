"""`async-agent up`: everything on this machine until it is told to stop."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

from rich.table import Table
from rich.text import Text

from contracts.api.health import Readiness
from deploy.local.log_lines import Printed
from deploy.local.nats_server import Durability
from deploy.local.system import NATS, STOP_WITHIN_S, LocalSystem, Options, local_system, names
from deploy.terminal import Terminal

PROMISES = {
    Durability.FSYNC: "fsync: what was accepted survives a power cut",
    Durability.FAST: "fast: a power cut may lose the last two minutes; a crash of any process loses nothing",
}


async def up(options: Options, artifacts: Path, console: Terminal) -> None:
    """Run the system until cancelled; its logs and where it is go to `console`.

    Raises:
        UserError: it cannot be started; the message says what to do.
    """
    console.print(f"starting on {options.data} …", style="dim")
    try:
        async with local_system(options, Printed(console, [*names(options), NATS])) as system:
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
    """Where everything is."""
    table = Table(title="Async Agent is up; Ctrl-C stops it", show_header=False, title_justify="left")
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, text in _facts(system, readiness, options, artifacts):
        table.add_row(name, Text(text))
    return table


def _facts(
    system: LocalSystem, readiness: Readiness, options: Options, artifacts: Path
) -> list[tuple[str, str]]:
    moved = options.port and not system.url.endswith(f":{options.port}")
    own_nats = system.nats is not None
    configured = readiness.llm == "ok"
    return [
        ("API", f"{system.url}  (port {options.port} is taken by another program)" if moved else system.url),
        ("NATS", system.nats_url if own_nats else f"{_public(system.nats_url)}  (not ours; left as it is)"),
        ("durability", PROMISES[options.durability] if own_nats else "as that NATS is set up"),
        ("data", str(options.data.absolute())),
        ("artifacts", str(artifacts.absolute())),
        ("LLM", f"{readiness.provider}, {readiness.model}" if configured else readiness.llm),
        *((f"metrics of {name}", url) for name, url in system.metrics.items()),
    ]


def _public(url: str) -> str:
    """Without name and password."""
    return re.sub(r"//[^@/]*@", "//", url)
