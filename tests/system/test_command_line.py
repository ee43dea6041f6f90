"""`async-agent up` and `demo`, as a person runs them."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.client import Client
from tests.forked.python import COMMANDS, ForkedPython

if TYPE_CHECKING:
    from tests.conftest import Eventually
    from tests.system.conftest import Bed, RunCli

pytestmark = [pytest.mark.system, pytest.mark.asyncio(loop_scope="session")]


async def test_a_second_system_on_the_same_data_is_refused(bed: Bed, command: RunCli) -> None:
    refused = await command("up", "--data", bed.data)
    assert refused.status == 2
    assert f"process {os.getpid()}, {bed.system.url}" in refused.errors
    assert "choose another directory with --data" in refused.errors


@pytest.fixture
def taken_port() -> Iterator[int]:
    """A port that another program listens on."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        yield other.getsockname()[1]


async def test_up_runs_without_an_llm_and_stops_cleanly(
    environment: dict[str, str], script: Path, tmp_path: Path
) -> None:
    """Ctrl-C goes to every process of the terminal's group: only the supervisor is in it."""
    wide = environment | {"COLUMNS": "200"}
    ports = ("--port", "0", "--nats-port", "0", "--metrics-port", "0")
    async with started([script, "up", "--data", "X", *ports], wide, tmp_path) as up:
        shown = await read_until(up, "Ctrl-C stops it")
        url = re.search(r"http://127\.0\.0\.1:\d+", shown)
        assert url is not None
        assert f"{url[0]}/docs" in shown
        async with Client(url[0]) as client:
            told = await client.ready()
            assert (told.is_serving, list(told.problems)) == (True, ["llm"])
        os.killpg(up.pid, signal.SIGINT)
        assert up.stdout is not None
        rest = (await up.stdout.read()).decode()
        assert (await up.wait(), rest.splitlines()[-1]) == (0, "stopped")
        assert "ended with" not in rest
        assert str(tmp_path / "X" / "artifacts") in rest
    readable = [path for path in (tmp_path / "X").rglob("*") if path.stat().st_mode & 0o077]
    assert readable == []


async def test_everything_ends_with_a_killed_up(
    environment: dict[str, str],
    script: Path,
    tmp_path: Path,
    forked_python: ForkedPython,
    eventually: Eventually,
) -> None:
    python = forked_python.with_imports(*COMMANDS)
    ports = ("--port", "0", "--nats-port", "0", "--metrics-port", "0")
    argv: list[str | Path] = [python, script, "up", "--data", "X", *ports]
    async with started(argv, environment | {"COLUMNS": "200"}, tmp_path) as up:
        shown = await read_until(up, "Ctrl-C stops it")
        listening = {int(port) for port in re.findall(r"127\.0\.0\.1:(\d+)", shown)}
        assert len(listening) >= 2
        assert not any(map(is_free, listening))
        up.kill()
        await eventually(lambda: all(map(is_free, listening)))


def is_free(port: int) -> bool:
    """Whether no program listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("option", ["--port", "--nats-port", "--metrics-port"])
async def test_a_chosen_port_that_is_taken_is_an_error(command: RunCli, taken_port: int, option: str) -> None:
    others = {"--port", "--nats-port", "--metrics-port"} - {option}
    refused = await command("up", option, taken_port, *(word for other in others for word in (other, 0)))
    assert refused.status == 2
    assert f"port {taken_port} " in refused.errors
    assert "is taken by another program" in refused.errors


async def test_the_demo_completes_where_there_is_no_terminal_and_no_llm(command: RunCli) -> None:
    ended = await command("demo", "--kill", "nats")
    assert ended.status == 0, ended.errors
    assert "No LLM is configured, so a scripted one answers" in ended.errors
    assert "kill -9 nats" in ended.errors
    assert ended.output.startswith("# Solar or wind for a small farm")


@asynccontextmanager
async def started(argv: list[str | Path], env: dict[str, str], cwd: Path) -> AsyncGenerator[Process]:
    """A process in a group of its own."""
    process = await asyncio.create_subprocess_exec(
        *argv, env=env, cwd=cwd, stdout=PIPE, stderr=STDOUT, start_new_session=True
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def read_until(process: Process, text: str) -> str:
    """What the process writes, up to a little after `text`."""
    assert process.stdout is not None
    said = ""
    while text not in said or "\n│ NATS" not in said:
        line = await process.stdout.readline()
        assert line, said
        said += line.decode()
    return said[said.index(text) :]
