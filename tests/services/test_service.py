"""The main loop of a service: real processes, real signals."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable

import pytest

from tests.forked.python import ForkedPython
from tests.waiting import WAIT_S

PROGRAM = """
import asyncio, sys
from contextlib import asynccontextmanager
from contracts.core.user_error import UserError
from contracts.runtime.process.service import Running, Service
from contracts.runtime.process.settings import Settings

@asynccontextmanager
async def build(settings):
    {building}
    yield Running([work], {{}})

async def work():
    try:
        {working}
    finally:
        print("drained", flush=True)

Service("test", Settings, build).main()
"""
FOREVER = "await asyncio.Event().wait()"


Start = Callable[..., Awaitable[Process]]


@pytest.fixture
def start(forked_python: ForkedPython) -> Start:
    """Starts a service."""
    python = forked_python.with_imports("contracts.runtime.process.service")

    async def start(*, building: str = "pass", working: str = FOREVER, **env: str) -> Process:
        program = PROGRAM.format(building=building, working=working)
        return await asyncio.create_subprocess_exec(
            python, "-c", program, stdout=PIPE, stderr=PIPE, env={**os.environ, **env}
        )

    return start


async def said(process: Process, word: bytes) -> None:
    assert process.stderr is not None
    async with asyncio.timeout(WAIT_S):
        while word not in await process.stderr.readline():
            pass


async def end(process: Process) -> tuple[bytes, bytes]:
    async with asyncio.timeout(WAIT_S):
        return await process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_workers_drain_and_ends_with_0(start: Start, number: signal.Signals) -> None:
    process = await start()
    await said(process, b"ready")
    process.send_signal(number)
    out, _ = await end(process)
    assert (process.returncode, out) == (0, b"drained\n")


async def test_a_signal_ends_a_service_that_is_still_starting(start: Start) -> None:
    process = await start(building=f"print('building', file=sys.stderr, flush=True); {FOREVER}")
    await said(process, b"building")
    process.send_signal(signal.SIGTERM)
    await end(process)
    assert process.returncode == 0


async def test_a_worker_that_fails_takes_the_process_down(start: Start) -> None:
    process = await start(working="raise KeyError('lost')")
    _, err = await end(process)
    assert process.returncode == 1
    assert b"KeyError" in err


async def test_a_worker_that_ends_is_a_failure_too(start: Start) -> None:
    process = await start(working="return")
    _, err = await end(process)
    assert process.returncode == 1
    assert b"ended by itself" in err


async def test_an_error_that_the_operator_can_correct_has_no_stack_trace(start: Start) -> None:
    process = await start(building="raise UserError('set NATS_URL')")
    _, err = await end(process)
    assert process.returncode == 1
    assert b"set NATS_URL" in err
    assert b"Traceback" not in err


async def test_a_side_port_that_is_taken_is_said_without_a_stack_trace(start: Start) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        process = await start(METRICS_PORT=str(taken.getsockname()[1]))
        _, err = await end(process)
    assert process.returncode == 1
    assert b"set METRICS_HOST and METRICS_PORT" in err
    assert b"Traceback" not in err
