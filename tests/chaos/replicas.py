"""Holds the replicas of the log against each other. Uses none of the product's code."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping

import nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError

LEADS_S = 60
"""The longest that a server may take to become the leader."""
LOOK_S = 0.5
AT_ONCE = 50

Digests = Mapping[int, str]
"""The hash of each message of a log, by its sequence."""


async def read_each(nats_url: str, servers: Collection[str]) -> dict[str, Digests]:
    """The log as each server has stored it: each is made the leader, which alone answers."""
    connection = await nats.connect(nats_url.split(","))
    try:
        found = {}
        for server in servers:
            async with asyncio.timeout(LEADS_S):
                await _lead(connection, server)
            found[server] = await _digests(connection)
        return found
    finally:
        await connection.close()


async def _lead(connection: Client, server: str) -> None:
    body = json.dumps({"placement": {"preferred": server}}).encode()
    while True:
        with contextlib.suppress(nats.errors.Error):
            cluster = (await connection.jetstream().stream_info("LOG")).cluster
            if cluster and cluster.leader == server:
                return
            await connection.request("$JS.API.STREAM.LEADER.STEPDOWN.LOG", body, timeout=5)
        await asyncio.sleep(LOOK_S)


async def _digests(connection: Client) -> Digests:
    stream = connection.jetstream()
    room = asyncio.Semaphore(AT_ONCE)
    digests = {}

    async def read(seq: int) -> None:
        async with room:
            with contextlib.suppress(NotFoundError):
                message = await stream.get_msg("LOG", seq)
                digests[seq] = hashlib.sha256(
                    f"{message.subject}\n".encode() + (message.data or b"")
                ).hexdigest()

    last = (await stream.stream_info("LOG")).state.last_seq
    await asyncio.gather(*(read(seq) for seq in range(1, last + 1)))
    return digests


def check_replicas(logs: Mapping[str, Digests]) -> Iterator[str]:
    """Every server has stored the same messages."""
    (first, expected), *others = logs.items()
    for server, digests in others:
        differ = [seq for seq in expected.keys() | digests.keys() if expected.get(seq) != digests.get(seq)]
        if differ:
            yield f"{first} and {server} differ in {len(differ)} messages, first at seq {min(differ)}"
