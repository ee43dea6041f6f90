"""A NATS that acknowledges before it syncs is refused where that can be known, and mentioned where not."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from contracts.runtime.durability import OWN_SERVER, NotDurable, check_durability
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.process.settings import Durability, Settings
from deploy.local.nats_server import NatsServer, running

pytestmark = pytest.mark.nats


class OperatorsServer(NatsServer):
    """A server that somebody else has configured, with a monitoring port."""

    def _configuration(self) -> str:
        ours = super()._configuration()
        return ours.replace(f"server_name: {OWN_SERVER}", 'server_name: theirs\nhttp: "127.0.0.1:-1"')


@asynccontextmanager
async def operators_nats(folder: Path, durability: Durability) -> AsyncGenerator[tuple[Connection, str]]:
    """A connection to such a server, and its monitoring address."""
    lines: list[str] = []
    async with (
        running(OperatorsServer(folder, durability=durability, on_line=lines.append)) as server,
        connect(server.url, name="test") as connection,
    ):
        (found,) = re.findall(r"Starting http monitor on (\S+)", "\n".join(lines))
        yield connection, f"http://{found}"


def settings(**given: Any) -> Settings:
    return Settings(_env_file=None, **given)


async def test_a_server_that_syncs_each_message_is_accepted(tmp_path: Path) -> None:
    async with operators_nats(tmp_path, Durability.FSYNC) as (connection, monitor):
        with capture_logs() as logs:
            await check_durability(connection, settings(nats_monitor_url=f"{monitor}, {monitor}/"))
    assert logs == []


async def test_a_server_that_does_not_sync_is_refused_unless_durability_is_fast(tmp_path: Path) -> None:
    async with operators_nats(tmp_path, Durability.FAST) as (connection, monitor):
        with pytest.raises(NotDurable, match=r"sync_interval: always.*DURABILITY=fast"):
            await check_durability(connection, settings(nats_monitor_url=monitor))
        await check_durability(connection, settings(nats_monitor_url=monitor, durability="fast"))


async def test_an_invalid_monitoring_address_is_refused(tmp_path: Path) -> None:
    async with operators_nats(tmp_path, Durability.FSYNC) as (connection, monitor):
        with pytest.raises(NotDurable, match=r"NATS_MONITOR_URL: .*/nothing/varz does not answer"):
            await check_durability(connection, settings(nats_monitor_url=f"{monitor}/nothing"))


async def test_a_server_that_cannot_be_checked_is_logged_once(tmp_path: Path) -> None:
    async with operators_nats(tmp_path, Durability.FSYNC) as (connection, _):
        with capture_logs() as logs:
            await check_durability(connection, settings())
    (line,) = logs
    assert line["log_level"] == "warning"
    assert "set NATS_MONITOR_URL" in line["event"]


async def test_the_server_of_up_needs_no_check(nats_server: NatsServer) -> None:
    async with connect(nats_server.url, name="test") as connection:
        with capture_logs() as logs:
            await check_durability(connection, settings())
    assert logs == []
