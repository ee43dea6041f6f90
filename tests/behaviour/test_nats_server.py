"""The nats-server we start ourselves."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from contracts.runtime.nats.connection import connect
from contracts.runtime.nats.retry import NoAnswer
from contracts.runtime.permissions import READER, USERS
from contracts.runtime.process.settings import Durability
from contracts.runtime.topology import ensure_topology
from deploy.local import nats_keeper
from deploy.local import nats_server as nats_server_module
from deploy.local.memory import memory_of_machine, nats_limit_mib
from deploy.local.nats_server import NatsServer, ServerFailed, StoreInUse, running
from deploy.local.nats_users import PasswordsUnreadable

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


async def test_started_again_it_has_the_same_port_and_data(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, name="test") as connection:
        await ensure_topology(connection)
        await connection.request("evt.counter.a.positive", b"kept")
    port = nats_server.port
    await nats_server.stop()
    assert nats_server.pid is None
    await nats_server.start()
    assert nats_server.port == port
    async with connect(nats_server.url, name="test") as connection:
        assert (await connection.api("STREAM.INFO.LOG"))["state"]["messages"] == 1


@pytest.mark.parametrize(
    "name", ["größe 日本", 'a "quoted" \\ one', "$HOME # {x}; [y]\n", os.fsdecode(b"\xff")]
)
async def test_its_data_may_be_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    async with (
        running(NatsServer(tmp_path / name)) as server,
        connect(server.url, name="test") as connection,
    ):
        await ensure_topology(connection)
    assert (tmp_path / name / "jetstream").is_dir()
    assert (tmp_path / name / "nats.pid").exists()


async def test_an_ack_is_an_fsync_unless_told_otherwise(tmp_path: Path) -> None:
    for directory, server in {
        "safe": NatsServer(tmp_path / "safe"),
        "fast": NatsServer(tmp_path / "fast", durability=Durability.FAST),
    }.items():
        async with running(server):
            configuration = (tmp_path / directory / "nats.conf").read_text()
            assert ("sync_interval: always" in configuration) == (directory == "safe")


async def test_two_servers_never_share_a_store(nats_server: NatsServer) -> None:
    """The error says which process to stop."""
    with pytest.raises(StoreInUse, match=f"kill {nats_server.pid}"):
        await NatsServer(nats_server.directory).start()


async def test_a_start_that_is_cancelled_leaves_no_server(tmp_path: Path) -> None:
    """The store is free again, wherever the start was interrupted."""
    server = NatsServer(tmp_path)
    for turns in (1, 2, 3, 4, 6, 10):
        starting = asyncio.create_task(server.start())
        for _ in range(turns):
            await asyncio.sleep(0)  # noqa: TID251  turns of the loop, not time
        starting.cancel()
        await asyncio.wait([starting])
        if not starting.cancelled():  # a slow machine has let it start first
            await server.stop()
        assert server.pid is None
    async with running(server):
        assert server.pid is not None


async def test_a_server_that_cannot_start_says_why(nats_server: NatsServer, tmp_path: Path) -> None:
    second = NatsServer(tmp_path / "second", port=nats_server.port)
    with pytest.raises(ServerFailed, match="address already in use"):
        await second.start()
    assert second.pid is None


async def test_its_log_lines_are_handed_over(tmp_path: Path) -> None:
    lines: list[str] = []
    async with running(NatsServer(tmp_path, on_line=lines.append)):
        pass
    assert any("Server is ready" in line for line in lines)
    assert any("Server Exiting" in line for line in lines)


async def test_its_memory_has_a_limit(nats_server: NatsServer) -> None:
    environment = Path(f"/proc/{nats_server.pid}/environ").read_bytes().split(b"\0")
    assert b"GOMEMLIMIT=%dMiB" % nats_limit_mib(memory_of_machine()) in environment


async def test_its_end_can_be_waited_for(nats_server: NatsServer) -> None:
    await nats_server.stop()
    assert await nats_server.ended() == 0


@pytest.mark.parametrize("restoring", [True, False])
async def test_a_server_that_restores_its_store_is_given_the_time_it_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, restoring: bool
) -> None:
    """The stand-in takes longer than a server may that restores nothing."""
    program = tmp_path / "nats-server"
    said = "Starting restore for stream '$G > LOG'" if restoring else "Thinking"
    program.write_text(
        f'#!/bin/sh\necho "{said}" >&2\nsleep 2\n'
        'echo "Listening for client connections on 127.0.0.1:4" >&2\n'
        'echo "Server is ready" >&2\nexec sleep 60\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(nats_server_module, "binary", lambda: str(program))
    monkeypatch.setattr(nats_server_module, "START_S", 1.0)
    server = NatsServer(tmp_path / "data")
    if restoring:
        async with running(server):
            assert server.port == 4
    else:
        with pytest.raises(ServerFailed, match="not ready within 1 s"):
            await server.start()


async def test_it_is_restarted_when_a_write_failed_and_the_disk_has_room(
    nats_server: NatsServer, eventually: Eventually, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it answers, and stores nothing."""
    free = 0

    def disk_usage(_: Path) -> SimpleNamespace:
        asked.append(free)
        return SimpleNamespace(free=free)

    asked: list[int] = []
    monkeypatch.setattr(nats_keeper, "ASK_S", 0.01)
    monkeypatch.setattr(shutil, "disk_usage", disk_usage)
    told: list[str] = []
    async with connect(nats_server.url, name="test") as connection:
        await ensure_topology(connection)
        (messages,) = nats_server.directory.glob("**/LOG/msgs")
        away = messages.rename(messages.with_name("away"))
        keeping = asyncio.create_task(nats_keeper.keep_running(nats_server, told.append))
        while not nats_server.store_failed.is_set():
            with suppress(NoAnswer):
                await connection.request("evt.filler.f.x", os.urandom(500_000), timeout_s=0.2)
        failed = nats_server.pid
        await eventually(lambda: len(asked) > 3)
        assert nats_server.pid == failed
        away.rename(messages)
        free = nats_keeper.ROOM_BYTES
        await eventually(
            lambda: nats_server.pid not in {None, failed} and not nats_server.store_failed.is_set()
        )
        await connection.connected()
        assert b"error" not in (await connection.request("evt.counter.a.positive", b"kept")).data
        keeping.cancel()
    assert "restarted when the disk has room" in told[0]


async def test_passwords_are_random_private_and_kept(tmp_path: Path) -> None:
    """Also by a server on the data of a version that had no users."""
    (tmp_path / "one").mkdir(mode=0o755)
    (tmp_path / "one" / "nats.conf").write_text("listen: 127.0.0.1")
    urls = {}
    for name in ("one", "two"):
        async with running(NatsServer(tmp_path / name)) as server:
            urls[name] = {user: server.url_for(user) for user in USERS}
            assert server.reader_file.read_text() == server.url_for(READER)
    passwords = {url.split("@")[0] for of_one in urls.values() for url in of_one.values()}
    assert len(passwords) == 2 * len(USERS)
    for file in ("nats.conf", "users.json", "reader.url", "operator.url"):
        assert (tmp_path / "one" / file).stat().st_mode & 0o077 == 0
    configuration = (tmp_path / "one" / "nats.conf").read_text()
    assert not any(password.rsplit(":")[-1] in configuration for password in passwords)
    async with running(NatsServer(tmp_path / "one")) as server:
        assert server.url_for(READER).split("@")[0] == urls["one"][READER].split("@")[0]


async def test_unreadable_passwords_are_reported(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text('{"gate')
    with pytest.raises(PasswordsUnreadable, match=r"users\.json"):
        await NatsServer(tmp_path).start()


async def test_it_has_no_monitoring_port(nats_server: NatsServer) -> None:
    """It would tell everybody on the machine which programs are connected and what they read."""
    configuration = (nats_server.directory / "nats.conf").read_text()
    assert "http" not in configuration
    assert 'listen: "127.0.0.1:' in configuration
