"""`async-agent demo`: run one goal on a temporary system, show its steps live, and print the report."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import webbrowser
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from contracts.client import PLANNER_AGENT, Client
from contracts.llm import LlmNotConfigured, LlmSettings
from contracts.llm.endpoint import resolve
from deploy.cli.watch.live import show_end, watch
from deploy.cli.watch.progress import RunProgress
from deploy.cli.watch.quiet import Note
from deploy.local.log_lines import LineFile
from deploy.local.system import LocalSystem, Options, local_system, private
from deploy.scripted_llm import ScriptedLlm, default_rules, environment
from deploy.terminal import Terminal

GOAL = "Compare solar and wind power for a small farm and recommend one"
LOG = "services.log"
TAIL_LINES = 40
CANNED = (
    "No LLM is configured, so a scripted one answers: its plan and its texts are canned, word for word from "
    "a file. The steps, their files and all events are real. To use your own model, set LLM_PROVIDER and "
    "LLM_MODEL."
)


@dataclass(frozen=True)
class Show:
    """Options of the demo."""

    goal: str = GOAL
    keep: bool = False
    """Whether to keep the temporary directory."""
    kill: str | None = None
    """A service, or `nats`, to kill with SIGKILL after the first completed step."""
    open: bool = False
    """Whether to open the console in a browser, and to keep the system running after the end until Ctrl-C."""


async def demo(show: Show, progress: Terminal, output: Terminal) -> bool:
    """Run the demo. Return whether the execution completed. The directory is kept if it failed.

    Raises:
        UserError: the system cannot be started.
        ClientError: planning or a request failed.
    """
    directory = Path(tempfile.mkdtemp(prefix="async-agent-demo-"))
    log = LineFile(directory / LOG)
    failed = True
    try:
        with log:
            failed = not await _demo(show, directory, log, progress, output)
    except asyncio.CancelledError:
        failed = False
        raise
    finally:
        if failed:
            said = f"\nThe last lines of {log.path}:\n{log.tail(TAIL_LINES)}"
            progress.note(said, "dim")
        if failed or show.keep:
            progress.note(f"all files are in {directory}")
        else:
            shutil.rmtree(directory, ignore_errors=True)
    return not failed


async def _demo(show: Show, directory: Path, log: LineFile, progress: Terminal, output: Terminal) -> bool:
    async with AsyncExitStack() as stack:
        llm = await stack.enter_async_context(_llm(progress))
        options = Options(directory, env=private(directory) | llm)
        with progress.busy("starting NATS and the five services …"):
            system = await stack.enter_async_context(local_system(options, log))
        client = await stack.enter_async_context(Client(system.url))
        progress.note(f"console: {system.url}\ngoal: {show.goal}")
        with progress.busy(f"{PLANNER_AGENT} is planning …"):
            started = await client.dags.create_and_execute(show.goal)
        page = f"{system.url}/runs/{started.execution_id}"
        if show.open:
            webbrowser.open(page)
        watched = await watch(client, started.execution_id, progress, _Killer(system, show.kill))
        show_end(watched, progress, output)
        if show.open:
            progress.note(f"the run is shown at {page} until Ctrl-C")
            await asyncio.Event().wait()
        return watched.is_completed


class _Killer:
    """Kills one process once, after the first step completes."""

    def __init__(self, system: LocalSystem, name: str | None) -> None:
        self._system = system
        self._name = name

    def __call__(self, watched: RunProgress, note: Note) -> None:
        if self._name is None or watched.done == 0:
            return
        self._system.kill(self._name)
        note(f"kill -9 {self._name}: it restarts, and the execution continues where it stopped")
        self._name = None


@asynccontextmanager
async def _llm(progress: Terminal) -> AsyncGenerator[dict[str, str]]:
    """Yield the environment of the configured LLM, or of a scripted one that runs during the block."""
    try:
        endpoint = resolve(LlmSettings())
    except LlmNotConfigured:
        async with ScriptedLlm(default_rules()) as scripted:
            progress.print(CANNED, style="yellow")
            yield environment(scripted.base_url)
    else:
        progress.note(f"LLM: {endpoint.provider}, {endpoint.model}")
        yield {}
