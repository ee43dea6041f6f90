"""The NATS that tests share."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from contracts.runtime.nats.connection import connect
from contracts.runtime.topology import ensure_topology
from tests.shared_nats import shared_server

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


@pytest.mark.parametrize("method", ["empty", "remove_streams"])
async def test_no_message_returns_while_the_server_still_removes_older_files(
    tmp_path: Path, eventually: Eventually, method: str
) -> None:
    removals: list[bytes] = []
    with shared_server(tmp_path) as shared:
        async with connect(shared.url, name="test") as connection:
            await connection.listen("$JS.EVENT.ADVISORY.STREAM.DELETED.LOG", removals.append)
            await connection.request("evt.counter.a.positive", b"old")
            (stream,) = tmp_path.glob("jetstream/**/streams/LOG")
            older_files = stream.with_name(".LOG")
            (older_files / "msgs").mkdir(parents=True)

            emptying = asyncio.create_task(asyncio.to_thread(getattr(shared, method)))
            await eventually(lambda: len(removals) > 1)
            shutil.rmtree(older_files)
            await emptying

            await ensure_topology(connection)
            assert (await connection.api("STREAM.INFO.LOG"))["state"]["last_seq"] == 0
