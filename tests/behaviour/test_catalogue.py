"""How everyone comes to know the tools, on a real NATS."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import orjson
import pytest

from contracts.core.tool import Effect, ToolSpec
from contracts.runtime.catalogue import Catalogue, publish, watch
from contracts.runtime.nats.connection import Connection

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats


def spec(name: str, description: str = "", order: int = 1000) -> ToolSpec:
    return ToolSpec(name=name, description=description, parameters={}, effect=Effect.READ, order=order)


@pytest.fixture
async def catalogue(connection: Connection) -> AsyncGenerator[Catalogue]:
    """One that is kept as the bucket is."""
    catalogue = Catalogue()
    watching = asyncio.create_task(watch(connection, catalogue))
    yield catalogue
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching


async def test_tools_that_were_published_before_are_known(connection: Connection) -> None:
    await publish(connection, [spec("web", order=2), spec("file", order=1), spec("another")])
    catalogue = Catalogue()
    watching = asyncio.create_task(watch(connection, catalogue))
    await catalogue.known()
    watching.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await watching
    assert [one.name for one in catalogue.all()] == ["file", "web", "another"]


@pytest.mark.parametrize("name", ["web", "evil"])
async def test_a_copy_of_a_stored_message_that_the_server_is_made_to_send_describes_no_tool(
    connection: Connection, catalogue: Catalogue, eventually: Eventually, name: str
) -> None:
    await publish(connection, [spec("web", "as it is")])
    forged = spec(name, "forged").model_dump_json().encode()
    stored = orjson.loads((await connection.request("$O.blobs.C.a", forged)).data)["seq"]
    before = await messages(connection)
    body = orjson.dumps({"seq": stored})
    await connection.publish("$JS.API.DIRECT.GET.OBJ_blobs", body, reply=f"$KV.tools.{name}")

    async def arrived() -> bool:
        return await messages(connection) > before

    await eventually(arrived)
    await publish(connection, [spec("later")])
    await eventually(lambda: catalogue.get("later"))
    assert [one.description for one in catalogue.all() if one.name != "later"] == ["as it is"]


async def messages(connection: Connection) -> int:
    """How many messages the bucket has ever had."""
    return int((await connection.api("STREAM.INFO.KV_tools"))["state"]["last_seq"])


async def test_there_is_nothing_to_know_before_somebody_publishes(
    connection: Connection, catalogue: Catalogue
) -> None:
    waiting = asyncio.ensure_future(catalogue.known())
    await connection.fence()
    assert (waiting.done(), catalogue.all()) == (False, [])
    await publish(connection, [spec("web")])
    await waiting
    assert catalogue.get("web") == spec("web")
    assert catalogue.get("unheard-of") is None


async def test_the_last_description_counts(
    connection: Connection, catalogue: Catalogue, eventually: Eventually
) -> None:
    """Several executors publish the same tools."""
    await asyncio.gather(*(publish(connection, [spec("web", "old")]) for _ in range(3)))
    await publish(connection, [spec("web", "new")])
    await eventually(lambda: catalogue.get("web") == spec("web", "new"))


async def test_a_removed_tool_is_forgotten(
    connection: Connection, catalogue: Catalogue, eventually: Eventually
) -> None:
    await publish(connection, [spec("web"), spec("file")])
    await (await connection.js.key_value("tools")).delete("web")
    await eventually(lambda: [one.name for one in catalogue.all()] == ["file"])


async def test_a_wrong_description_is_left_out(
    connection: Connection, catalogue: Catalogue, eventually: Eventually
) -> None:
    await (await connection.js.key_value("tools")).put("broken", b"{}")
    await publish(connection, [spec("file")])
    await eventually(lambda: catalogue.get("file"))
    assert catalogue.get("broken") is None
