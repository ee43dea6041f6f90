"""A fork server starts services, tells of their ends, and ends with them."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import uvloop

from deploy.local.forks import Forked, ForkServer, Program, fork_server

if TYPE_CHECKING:
    from tests.conftest import Eventually

NO_NATS = "NATS_URL is not a valid URL"


def wrong(cwd: Path, **env: str) -> Program:
    """A service that says what is wrong with its settings and ends."""
    return Program("scheduler", {**os.environ, "NATS_URL": "http://[::1", **env}, cwd)


def waiting(cwd: Path) -> Program:
    """A service that waits for NATS, at a port where none is."""
    return Program("scheduler", {**os.environ, "NATS_URL": "nats://127.0.0.1:1", "LOG_LEVEL": "debug"}, cwd)


async def all_of(forked: Forked) -> str:
    return (await forked.stdout.read()).decode()


@pytest.mark.usefixtures("forked_services")
async def test_a_forked_service_has_its_own_environment_directory_output_and_status(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=loud\n")
    async with fork_server(os.environ) as forks:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(forks.fork(wrong(tmp_path)))
            second = group.create_task(forks.fork(wrong(tmp_path, METRICS_PORT="-1")))
        said = [await all_of(task.result()) for task in (first, second)]
        assert [await task.result().wait() for task in (first, second)] == [1, 1]
    assert all("LOG_LEVEL" in text for text in said)
    assert ["METRICS_PORT" in text for text in said] == [False, True]


@pytest.mark.usefixtures("forked_services")
async def test_the_end_by_a_signal_is_reported(tmp_path: Path) -> None:
    async with fork_server(os.environ) as forks:
        forked = await forks.fork(waiting(tmp_path))
        forked.send_signal(signal.SIGKILL)
        assert await forked.wait() == -signal.SIGKILL
        forked.send_signal(signal.SIGKILL)


async def test_services_end_with_their_fork_server_and_the_next_fork_starts_another(
    tmp_path: Path, eventually: Eventually
) -> None:
    async with fork_server(os.environ) as forks:
        forked = await forks.fork(waiting(tmp_path))
        os.kill(server_of(forks), signal.SIGKILL)
        assert await forked.wait() == -signal.SIGTERM
        await eventually(lambda: not runs(forked.pid))
        again = await forks.fork(wrong(tmp_path))
        assert NO_NATS in await all_of(again)


@pytest.mark.usefixtures("forked_services")
async def test_a_service_that_cannot_start_says_why(tmp_path: Path) -> None:
    async with fork_server(os.environ) as forks:
        forked = await forks.fork(wrong(tmp_path / "missing"))
        assert "FileNotFoundError" in await all_of(forked)
        assert await forked.wait() == 1


@pytest.mark.usefixtures("forked_services")
async def test_an_environment_may_be_large(tmp_path: Path) -> None:
    async with fork_server(os.environ) as forks:
        forked = await forks.fork(wrong(tmp_path, LARGE="x" * 2_000_000))
        assert NO_NATS in await all_of(forked)


@pytest.mark.usefixtures("forked_services")
def test_the_output_of_a_process_is_closed_at_its_end_on_uvloop_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with fork_server(os.environ) as forks:
            await all_of(await forks.fork(wrong(tmp_path)))
            before = open_files()
            for _ in range(3):
                await all_of(await forks.fork(wrong(tmp_path)))
            assert open_files() <= before

    uvloop.run(main())


def open_files() -> int:
    return len(list(Path("/dev/fd").iterdir()))


def server_of(forks: ForkServer) -> int:
    """The process id of the fork server."""
    assert forks.pid is not None
    return forks.pid


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
