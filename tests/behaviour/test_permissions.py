"""What the NATS users of a system may do, and what they may not, on a real server."""

from __future__ import annotations

import asyncio
from base64 import urlsafe_b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import nats
import orjson
import pytest

from contracts.core.event import Event, Json
from contracts.core.money import pico_usd
from contracts.core.subjects import EVERYTHING
from contracts.domain import goal
from contracts.domain.goal import GOAL
from contracts.domain.registry import CODEC
from contracts.runtime.consumer.position import Position
from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.address import Unreachable
from contracts.runtime.nats.connection import Connection, connect
from contracts.runtime.nats.direct import Stored, stored
from contracts.runtime.nats.leader import message_at
from contracts.runtime.nats.publish import publish
from contracts.runtime.nats.replies import Denied
from contracts.runtime.nats.retry import NoAnswer, retry_until
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.permissions import OPERATOR, READER, ROLES
from contracts.runtime.stream import Origin, Stream
from contracts.runtime.topology import ensure_topology
from contracts.runtime.wire import EXPECTED, PUBLISHED, Format
from contracts.spending import Purpose
from tests.behaviour.tails import first
from tests.shared_nats import SharedNats
from tests.spending import REQUEST, answering, process
from tests.spending import state as month
from tests.waiting import WAIT_S

if TYPE_CHECKING:
    from tests.conftest import Eventually

pytestmark = pytest.mark.nats

SERVICES = tuple(ROLES)
EVERYBODY_ELSE = (*SERVICES, READER)
"""All users but the operator."""


@pytest.fixture
def server(shared_server: SharedNats) -> SharedNats:
    """A server without any message or consumer."""
    shared_server.empty()
    return shared_server


@asynccontextmanager
async def connected(server: SharedNats, user: str) -> AsyncGenerator[Connection]:
    async with connect(server.url_for(user), name=f"{user}/test") as connection:
        yield connection


@pytest.fixture
async def operator(server: SharedNats) -> AsyncGenerator[Connection]:
    """The operator, on a server with all streams."""
    async with connected(server, OPERATOR) as connection:
        await ensure_topology(connection)
        yield connection


@pytest.mark.parametrize("service", SERVICES)
async def test_every_service_can_create_and_check_the_streams(server: SharedNats, service: str) -> None:
    server.remove_streams()
    async with connected(server, service) as connection:
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
        ("scheduler", "evt.budget.2026-11.open"),
        ("projector", "evt.budget.2026-11.open"),
        (READER, "evt.budget.2026-11.open"),
        ("projector", "evt.run.a.pending"),
        (READER, "evt.run.a.pending"),
        (READER, "evt.run.a.completed"),
    ],
)
async def test_a_commit_of_another_service_cannot_be_published(
    server: SharedNats, operator: Connection, user: str, subject: str
) -> None:
    async with connected(server, user) as connection:
        with pytest.raises(Denied, match=subject):
            await connection.request(subject, b"forged")
    assert (await operator.api("STREAM.INFO.LOG"))["state"]["messages"] == 0


@pytest.mark.parametrize("service", ["gateway", "planner", "executor"])
async def test_every_service_that_calls_models_counts_what_they_cost(
    server: SharedNats, operator: Connection, service: str
) -> None:
    async with connected(server, service) as connection:
        log = NatsLog(connection, Format(CODEC, NatsBlobs(connection)))
        budget = process(log, service=service, day=1)
        await budget.pay(REQUEST, Purpose("run_1/1", None), answering("0.25"))
        await budget.aclose()
    log = NatsLog(operator, Format(CODEC, NatsBlobs(operator)))
    assert (await month(log)).system.month == pico_usd("0.25")


@pytest.mark.parametrize("user", EVERYBODY_ELSE)
@pytest.mark.parametrize("call", ["DELETE", "PURGE", "MSG.DELETE", "SNAPSHOT", "RESTORE"])
async def test_only_the_operator_can_remove_what_the_log_has(
    server: SharedNats, operator: Connection, user: str, call: str
) -> None:
    async with connected(server, user) as connection:
        with pytest.raises(Denied, match=f"STREAM.{call}.LOG"):
            await connection.api(f"STREAM.{call}.LOG")


@pytest.mark.parametrize("user", ["gateway", "executor", READER])
async def test_users_that_requests_and_tools_reach_cannot_change_the_log(
    server: SharedNats, operator: Connection, user: str
) -> None:
    config = (await operator.api("STREAM.INFO.LOG"))["config"]
    async with connected(server, user) as connection:
        with pytest.raises(Denied, match=r"STREAM\.UPDATE\.LOG"):
            await connection.api("STREAM.UPDATE.LOG", config | {"max_msgs": 1})


@pytest.mark.parametrize(("user", "consumer"), [("executor", "planner"), ("planner", "executor")])
@pytest.mark.parametrize("thief", ["service", READER])
async def test_nobody_takes_the_messages_of_another_service(
    server: SharedNats, operator: Connection, user: str, consumer: str, thief: str
) -> None:
    async with connected(server, READER if thief == READER else user) as connection:
        for call in ("MSG.NEXT", "DELETE", "CREATE", "DURABLE.CREATE"):
            with pytest.raises(Denied):
                await connection.api(f"CONSUMER.{call}.LOG.{consumer}", {})
        for subject in (f"$JS.ACK.LOG.{consumer}.1.1.1.1.0", f"$JS.ACK.a.b.LOG.{consumer}.1.1.1.1.0.x"):
            with pytest.raises(Denied):
                await connection.request(subject, b"+TERM")


@pytest.mark.parametrize("user", ["gateway", "executor", "projector", READER])
async def test_only_the_executor_announces_tools_and_only_the_gateway_keeps_requests(
    server: SharedNats, operator: Connection, user: str
) -> None:
    writers = {"$KV.tools.writeFile": "executor", "live.executor": "executor", "$KV.requests.a": "gateway"}
    async with connected(server, user) as connection:
        for subject, writer in writers.items():
            if user != writer:
                with pytest.raises(Denied):
                    await connection.request(subject, b"{}")
        with pytest.raises(Denied):
            await connection.request("replay.executor.1", b"{}")


async def test_a_user_that_may_not_send_to_its_inbox_is_told_so_at_once_and_closes_without_waiting(
    server: SharedNats, operator: Connection
) -> None:
    async with connected(server, READER) as connection:
        with pytest.raises(Denied, match="_INBOX"):
            await connection.fence(timeout_s=WAIT_S)


async def test_answers_to_one_user_are_not_heard_by_another(server: SharedNats, operator: Connection) -> None:
    nc = await nats.connect(server.url_for(READER))
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

    nc = await nats.connect(server.url_for("executor"), error_cb=hear)
    try:
        await nc.subscribe("_INBOX.gateway.>")
        assert "permissions violation for subscription" in await asyncio.wait_for(refused.get(), WAIT_S)
    finally:
        await nc.close()


async def test_a_reader_follows_the_log_with_a_durable_consumer(
    server: SharedNats, operator: Connection
) -> None:
    await operator.request("evt.run.a.completed", b"one")
    nc = await nats.connect(server.url_for(READER))
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
async def test_a_connection_without_a_user_and_its_password_is_refused(server: SharedNats, user: str) -> None:
    with pytest.raises(Unreachable, match="NATS_URL"):
        async with connect(f"nats://{user}127.0.0.1:{server.port}", name="gateway/test"):
            pytest.fail("it was let in")


@pytest.mark.parametrize(("service", "halts"), [("executor", False), ("gateway", False), ("projector", True)])
async def test_a_service_that_may_not_halt_the_log_leaves_it_to_the_others_at_once(
    server: SharedNats, operator: Connection, service: str, halts: bool
) -> None:
    form = Format(CODEC, NatsBlobs(operator))
    async with connected(server, service) as connection:
        await NatsLog(connection, form, deadline_s=3600).halt("the log regressed")
    assert bool((await NatsLog(operator, form).state()).halted) == halts


async def written(log: NatsLog, goal_id: str, *decisions: Event) -> Stream[goal.State]:
    """A goal with one commit per event, as the gateway writes them."""
    stream = await Stream.open(log, GOAL, goal_id, Origin("/gateway/1"))
    for event in decisions:
        await stream.append([event])
    return stream


async def forgery() -> bytes:
    """The deletion of goal `a` as the gateway would write it. The gateway never did."""
    aside = MemoryLog(CODEC)
    stream = await Stream.open(aside, GOAL, "a", Origin("/gateway/1"))
    for events in ([goal.Created(objective="x"), goal.Paused()], [goal.Deleted()]):
        await stream.append(events)
    return (await aside.read(GOAL.name, "a"))[-1].payload


COPYING = ["answer", "blob", "commit"]


@pytest.mark.parametrize("user", EVERYBODY_ELSE)
@pytest.mark.parametrize("attack", COPYING)
async def test_nobody_forges_a_commit_through_the_reply_subject_of_a_request(
    server: SharedNats, operator: Connection, eventually: Eventually, user: str, attack: str
) -> None:
    """The server sends its answers, and copies of stored messages, to any subject. They count as nothing."""
    log = NatsLog(operator, Format(CODEC, NatsBlobs(operator)))
    stream = await written(log, "a", goal.Created(objective="x"), goal.Paused())
    payload = await forgery()
    if attack == "answer":
        request, body = "$JS.API.STREAM.INFO.LOG", None
    elif attack == "blob":  # a client of the API chooses what large values contain
        seq = await publish(operator, "$O.blobs.C.a", payload, {EXPECTED: "0"})
        request, body = "$JS.API.DIRECT.GET.OBJ_blobs", {"seq": seq}
    else:  # a service writes what it likes on a subject of its own, with the lock of another aggregate
        lock = {EXPECTED: str(stream.seq), f"{EXPECTED}-Subject": "evt.goal.a.>"}
        seq = await publish(operator, "evt.run.b.running", payload, {**PUBLISHED, **lock})
        request, body = "$JS.API.DIRECT.GET.LOG", {"seq": seq}
    end = await log.last_seq()
    async with connected(server, user) as connection:
        await connection.publish(request, orjson.dumps(body), reply="evt.goal.a.deleted")

        async def arrived() -> bool:
            return await log.last_seq() == end + 1

        await eventually(arrived)
    opened = await Stream.open(log, GOAL, "a", Origin("/gateway/1"))
    assert (opened.state.status, opened.seq) == (goal.Status.PAUSED, stream.seq)
    assert all(not one.commit.events for one in await first(log, 1, after=stream.seq))
    await stream.decide(lambda state: [goal.Resumed()])
    assert (await Stream.open(log, GOAL, "a", Origin("/gateway/1"))).state.status == goal.Status.ACTIVE


async def test_a_large_value_can_be_read_whatever_the_server_is_made_to_send_to_its_subjects(
    server: SharedNats, operator: Connection, eventually: Eventually
) -> None:
    blobs = NatsBlobs(operator)
    value, other = ("x" * 300_000).encode(), b"another one"
    kept, decoy = await blobs.put(value, "text/plain"), await blobs.put(other, "text/plain")
    messages = {one.subject: one.seq for one in await stored(operator, "OBJ_blobs", "$O.blobs.>")}
    subjects = [f"$O.blobs.C.{kept.blob}", f"$O.blobs.M.{urlsafe_b64encode(kept.blob.encode()).decode()}"]
    assert set(subjects) < set(messages)
    async with connected(server, READER) as reader:
        for subject in reversed(subjects):
            await reader.publish("$JS.API.STREAM.INFO.LOG", reply=subject)
            for seq in messages.values():
                await reader.publish(
                    "$JS.API.DIRECT.GET.OBJ_blobs", orjson.dumps({"seq": seq}), reply=subject
                )

        async def arrived() -> bool:
            found = [len(await stored(operator, "OBJ_blobs", subject)) for subject in subjects]
            return found[0] > 3 and found[1] > 1

        await eventually(arrived)
    assert await blobs.get(kept) == value
    assert await blobs.put(value, "text/plain") == kept
    assert (await blobs.get(kept), await blobs.get(decoy)) == (value, other)


@pytest.mark.parametrize("junk", [b"{}", b"", b"[1]", b'{"seq": "x"}'])
async def test_a_position_that_no_consumer_stored_is_ignored(operator: Connection, junk: bytes) -> None:
    """The consumer then starts at the beginning: whoever gets a message twice knows it."""
    await operator.request("$KV.positions.LOG-worker", junk)
    beginning: dict[str, Json] = {"deliver_policy": "all"}
    assert await Position(operator, "LOG", "worker").start(beginning) == beginning


@pytest.mark.parametrize("copied", ["commit", "blob"])
async def test_a_consumer_that_delivers_into_the_log_forges_nothing(
    server: SharedNats, operator: Connection, eventually: Eventually, copied: str
) -> None:
    """A delivery keeps its subject: a commit is refused by its own lock, any other message has no reader."""
    log = NatsLog(operator, Format(CODEC, NatsBlobs(operator)))
    stream = await written(log, "a", goal.Created(objective="x"), goal.Paused())
    await publish(operator, "$O.blobs.C.a", await forgery(), PUBLISHED)
    source = "LOG" if copied == "commit" else "OBJ_blobs"
    async with connected(server, READER) as reader:
        config = {"name": "c", "ack_policy": "none"}
        await reader.api(f"CONSUMER.CREATE.{source}.c", {"stream_name": source, "config": config})
        for _ in range(2):
            await reader.publish(f"$JS.API.CONSUMER.MSG.NEXT.{source}.c", b"1", reply="evt.goal.a.deleted")

        async def delivered() -> bool:
            info = await reader.api(f"CONSUMER.INFO.{source}.c")
            return bool(info["delivered"]["consumer_seq"] == (2 if copied == "commit" else 1))

        await eventually(delivered)
    last = await written(log, "b", goal.Created(objective="later"))
    assert [one.seq for one in await log.read(GOAL.name, "a")] == [1, stream.seq]
    assert last.seq == stream.seq + 1 + (copied == "blob")
    told = await first(log, last.seq)
    assert [one.seq for one in told if one.commit.events] == [1, stream.seq, last.seq]


@pytest.mark.parametrize("kept", ["sources", "mirror"])
async def test_a_log_that_was_moved_to_another_stream_is_read_as_before(
    operator: Connection, kept: str
) -> None:
    """The server removes headers from what it copies into a mirror or a stream with sources."""
    log = NatsLog(operator, Format(CODEC, NatsBlobs(operator)))
    stream = await written(log, "a", goal.Created(objective="x"), goal.Paused())
    origin = {"name": "LOG"}
    config = {"name": "MOVED", "storage": "file", kept: [origin] if kept == "sources" else origin}
    await operator.api("STREAM.CREATE.MOVED", config)
    moved = [
        await retry_until(partial(_present, operator, seq), deadline_s=WAIT_S) for seq in (1, stream.seq)
    ]
    for one in moved:
        assert (await log.recorded(one.seq, one.subject, one.payload, one.headers)).commit.aggregate_id == "a"


async def _present(connection: Connection, seq: int) -> Stored:
    if found := await message_at(connection, "MOVED", seq):
        return found
    raise NoAnswer("it has not been copied yet")


async def test_a_commit_that_the_server_is_made_to_repeat_is_not_stored_again(
    server: SharedNats, operator: Connection
) -> None:
    """It answers on any subject that a request names, but the commit's own headers forbid to store it."""
    log = NatsLog(operator, Format(CODEC, NatsBlobs(operator)))
    stream = await Stream.open(log, GOAL, "a", Origin("/gateway/1"))
    await stream.append([goal.Created(objective="x"), goal.Paused()])
    await stream.append([goal.Resumed()])
    async with connected(server, READER) as reader:
        for subject in ("evt.goal.a.paused", "evt.goal.b.paused", "evt.goal.a.active"):
            await reader.publish("$JS.API.DIRECT.GET.LOG", b'{"seq": 1}', reply=subject)
        await reader.api("STREAM.INFO.LOG")
    assert await log.last_seq() == stream.seq
