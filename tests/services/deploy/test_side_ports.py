"""A side port may be taken by another program between its choice and the start of its service."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientError, ClientSession

from contracts.runtime.process.settings import Durability
from deploy.local.forks import ForkServer
from deploy.local.ports import Ports, PortTaken, free_port
from deploy.local.system import SERVICES, LocalSystem, Options, _assemble

if TYPE_CHECKING:
    from tests.conftest import Eventually

NAME = "scheduler"
pytestmark = [pytest.mark.nats, pytest.mark.usefixtures("forked_services")]


def system_on(nats_url: str, directory: Path, lines: list[str], *, metrics_port: int = 0) -> LocalSystem:
    """A system that is not started."""
    options = Options(directory, nats_url=nats_url, metrics_port=metrics_port, durability=Durability.FAST)
    forks = ForkServer(os.environ)
    return _assemble(options, None, Ports({}), forks, lambda name, line: lines.append(f"{name}: {line}"))


def free_ports() -> int:
    """The first of as many free ports as there are services, below those that the kernel gives to others."""
    firsts = range(20_000 + os.getpid() % 1000 * 10, 32_000, 10)
    return next(one for one in firsts if all(_is_free(one + n) for n in range(len(SERVICES))))


def _is_free(port: int) -> bool:
    return free_port("127.0.0.1", port) == port


async def is_healthy(metrics: str) -> bool:
    try:
        async with ClientSession() as http, http.get(metrics.replace("/metrics", "/healthz")) as answer:
            return answer.status == 200
    except ClientError:
        return False


async def test_a_service_whose_side_port_was_taken_gets_another_one(
    tmp_path: Path, nats_url: str, eventually: Eventually
) -> None:
    """At its first start, and when it starts again."""
    lines: list[str] = []
    system = system_on(nats_url, tmp_path, lines)
    child = system.children[NAME]
    first = system.ports.chosen[NAME]
    for starts in (1, 2):
        before = system.ports.chosen[NAME]
        with socket.create_server(("127.0.0.1", before)):
            await child.start()
            after = system.ports.chosen[NAME]
            told = f"port {before} was taken by another program; metrics are on port {after} instead"
            assert f"{NAME}: {told}" in lines
            assert system.metrics[NAME] == f"http://127.0.0.1:{after}/metrics"
            await eventually(lambda: is_healthy(system.metrics[NAME]))
        await child.stop()
        assert (child.starts, system.ports.moved) == (starts, {NAME: first})
    await system.forks.stop()


async def test_a_side_port_that_the_user_chose_is_an_error_when_it_is_taken(
    tmp_path: Path, nats_url: str
) -> None:
    chosen = free_ports()
    system = system_on(nats_url, tmp_path, [], metrics_port=chosen)
    (name, *_) = system.children
    with (
        socket.create_server(("127.0.0.1", chosen)),
        pytest.raises(PortTaken, match=rf"port {chosen} \({name}\) is taken by another program"),
    ):
        await system.children[name].start()


async def test_a_side_port_that_the_user_chose_is_kept_while_it_is_taken(
    tmp_path: Path, nats_url: str, eventually: Eventually
) -> None:
    """The service starts again when the port is free."""
    chosen, lines = free_ports(), list[str]()
    system = system_on(nats_url, tmp_path, lines, metrics_port=chosen)
    (name, *_) = system.children
    child = system.children[name]
    await child.start()
    await eventually(lambda: is_healthy(system.metrics[name]))
    await child.stop()
    with socket.create_server(("127.0.0.1", chosen)):
        await child.start()
        told = f"{name}: port {chosen} ({name}) is taken by another program; choose another one"
        assert told in lines
    await eventually(lambda: is_healthy(f"http://127.0.0.1:{chosen}/metrics"))
    await child.stop()
    await system.forks.stop()
