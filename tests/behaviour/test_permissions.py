"""What the NATS users of a system may do, and what they may not, on a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import nats
import pytest

from contracts.core.subjects import EVERYTHING
from contracts.domain import goal
from contracts.domain.goal import GOAL
from contracts.domain.registry import CODEC
from contracts.runtime.nats.address import Unreachable
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats.replies import Denied
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.permissions import OPERATOR, READER, ROLES
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import Format
from deploy.local.nats_server import NatsServer
from tests.waiting import WAIT_S

pytestmark = pytest.mark.nats

SERVICES = tuple(ROLES)
EVERYBODY_ELSE = (*SERVICES, READER)
"""All users but the operator."""


@asynccontextmanager
async def connected(server: NatsServer, user: str) -> AsyncGenerator[Connection]:
    async with connect(server.url_for(user), name=f"{user}/test") as connection:
        yield connection


@pytest.fixture
async def operator(nats_server: NatsServer) -> AsyncGenerator[Connection]:
    """The operator, on a server with all streams."""
    async with connected(nats_server, OPERATOR) as connection:
        await ensure_topology(connection)
        yield connection


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_can_create_and_check_the_streams(nats_server: NatsServer, service: str) -> None:
    async with connected(nats_server, service) as connection:
        await ensure_topology(connection, wait_s=5)
        await ensure_topology(connection, wait_s=5)


@pytest.mark.parametrize(
    ("user", "subject"),
    [
        ("executor", "evt.goal.a.active"),
        ("executor", "evt.run.a.pending"),
        ("executor", "evt.agent.a.active"),
        ("planner", "evt.run.a.completed"),
        ("gateway", "evt.run.a.completed"),
        ("scheduler", "evt.goal.a.active"),
        ("projector", "evt.run.a.pending"),
        (READER, "evt.run.a.pending"),
        (READER, "evt.run.a.completed"),
    ],
)
async def test_a_commit_of_another_service_cannot_be_published(
    nats_server: NatsServer, operator: Connection, user: str, subject: str
) -> None:
    async with connected(nats_server, user) as connection:
        with pytest.raises(Denied, match=subject):
            await connection.request(subject, b"forged")
    assert (await operator.api("STREAM.INFO.LOG"))["state"]["messages"] == 0


@pytest.mark.parametrize("user", EVERYBODY_ELSE)
@pytest.mark.parametrize("call", ["DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE"])
async def test_only_the_operator_can_remove_what_the_log_has(
    nats_server: NatsServer, operator: Connection, user: str, call: str
) -> None:
    async with connected(nats_server, user) as connection:
        with pytest.raises(Denied, match=f"STREAM.{call}.LOG"):
            await connection.api(f"STREAM.{call}.LOG")


@pytest.mark.parametrize("user", ["gateway", "executor", READER])
async def test_users_that_requests_and_tools_reach_cannot_change_the_log(
    nats_server: NatsServer, operator: Connection, user: str
) -> None:
    config = (await operator.api("STREAM.INFO.LOG"))["config"]
    async with connected(nats_server, user) as connection:
        with pytest.raises(Denied, match=r"STREAM\.UPDATE\.LOG"):
            await connection.api("STREAM.UPDATE.LOG", config | {"max_msgs": 1})


@pytest.mark.parametrize(("user", "consumer"), [("executor", "planner"), ("planner", "executor")])
@pytest.mark.parametrize("thief", ["service", READER])
async def test_nobody_takes_the_messages_of_another_service(
    nats_server: NatsServer, operator: Connection, user: str, consumer: str, thief: str
) -> None:
    async with connected(nats_server, READER if thief == READER else user) as connection:
        for call in ("MSG.NEXT", "DELETE", "CREATE", "DURABLE.CREATE"):
            with pytest.raises(Denied):
                await connection.api(f"CONSUMER.{call}.LOG.{consumer}", {})
        for subject in (f"$JS.ACK.LOG.{consumer}.1.1.1.1.0", f"$JS.ACK.a.b.LOG.{consumer}.1.1.1.1.0.x"):
            with pytest.raises(Denied):
                await connection.request(subject, b"+TERM")


@pytest.mark.parametrize("user", ["gateway", "executor", "projector", READER])
async def test_only_the_executor_announces_tools_and_only_the_gateway_keeps_requests(
    nats_server: NatsServer, operator: Connection, user: str
) -> None:
    writers = {"$KV.tools.writeFile": "executor", "live.executor": "executor", "$KV.requests.a": "gateway"}
    async with connected(nats_server, user) as connection:
        for subject, writer in writers.items():
            if user != writer:
                with pytest.raises(Denied):
                    await connection.request(subject, b"{}")
        with pytest.raises(Denied):
            await connection.request("replay.executor.1", b"{}")


async def test_answers_to_one_user_are_not_heard_by_another(
    nats_server: NatsServer, operator: Connection
) -> None:
    nc = await nats.connect(nats_server.url_for(READER))
    try:
        heard = await nc.subscribe("_INBOX.*.secret")
        await nc.jetstream().stream_info("LOG")  # the server has the subscription; flush() overtakes it
        for subject in ("_INBOX.gateway.secret", "_INBOX.operator.secret", "_INBOX.public.secret"):
            await operator.publish(subject, b"answer")
        assert (await heard.next_msg(timeout=WAIT_S)).subject == "_INBOX.public.secret"
    finally:
        await nc.close()
    refused: asyncio.Queue[str] = asyncio.Queue()

    async def hear(error: Exception) -> None:
        refused.put_nowait(str(error))

    nc = await nats.connect(nats_server.url_for("executor"), error_cb=hear)
    try:
        await nc.subscribe("_INBOX.gateway.>")
        assert "permissions violation for subscription" in await asyncio.wait_for(refused.get(), WAIT_S)
    finally:
        await nc.close()


async def test_a_reader_follows_the_log_with_a_durable_consumer(
    nats_server: NatsServer, operator: Connection
) -> None:
    await operator.request("evt.run.a.completed", b"one")
    nc = await nats.connect(nats_server.url_for(READER))
    try:
        now = await nc.subscribe(EVERYTHING)
        await nc.jetstream().stream_info("LOG")  # the server has the subscription; flush() overtakes it
        await operator.request("evt.run.b.completed", b"two")
        assert (await now.next_msg(timeout=WAIT_S)).data == b"two"
        billing = await nc.jetstream().pull_subscribe("evt.run.*.completed", durable="billing", stream="LOG")
        messages = await billing.fetch(2, timeout=WAIT_S)
        assert [message.data for message in messages] == [b"one", b"two"]
        for message in messages:
            await message.ack_sync(timeout=WAIT_S)
    finally:
        await nc.close()
    info = await operator.api("CONSUMER.INFO.LOG.billing")
    assert info["ack_floor"]["stream_seq"] == 2


@pytest.mark.parametrize("user", ["", "gateway:wrong@", "nobody:secret@"])
async def test_a_connection_without_a_user_and_its_password_is_refused(
    nats_server: NatsServer, user: str
) -> None:
    with pytest.raises(Unreachable, match="NATS_URL"):
        async with connect(f"nats://{user}127.0.0.1:{nats_server.port}", name="gateway/test"):
            pytest.fail("it was let in")


@pytest.mark.parametrize(("service", "halts"), [("executor", False), ("gateway", False), ("projector", True)])
async def test_a_service_that_may_not_halt_the_log_leaves_it_to_the_others_at_once(
    nats_server: NatsServer, operator: Connection, service: str, halts: bool
) -> None:
    form = Format(CODEC, NatsBlobs(operator))
    async with connected(nats_server, service) as connection:
        await NatsLog(connection, form, deadline_s=3600).halt("the log regressed")
    assert bool((await NatsLog(operator, form).state()).halted) == halts


async def test_a_commit_that_the_server_is_made_to_repeat_is_not_stored_again(
    nats_server: NatsServer, operator: Connection
) -> None:
    """It answers on any subject that a request names, but the commit's own headers forbid to store it."""
    log = NatsLog(operator, Format(CODEC, NatsBlobs(operator)))
    stream = await Stream.open(log, GOAL, "a", Origin("/gateway/1"))
    await stream.append([goal.Created(objective="x"), goal.Paused()])
    await stream.append([goal.Resumed()])
    async with connected(nats_server, READER) as reader:
        for subject in ("evt.goal.a.paused", "evt.goal.b.paused", "evt.goal.a.active"):
            await reader.publish("$JS.API.DIRECT.GET.LOG", b'{"seq": 1}', reply=subject)
        await reader.api("STREAM.INFO.LOG")
    assert await log.last_seq() == stream.seq
