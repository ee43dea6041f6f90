"""Creates the JetStream streams and buckets of the system, and checks the configuration of existing ones."""

from __future__ import annotations

from functools import partial

import structlog
from nats.js.errors import APIError, NotFoundError

from contracts.core import subjects
from contracts.core.event import Json
from contracts.core.tool import CATALOGUE_BUCKET
from contracts.core.user_error import UserError
from contracts.runtime.consumer.position import BUCKET as POSITIONS_BUCKET
from contracts.runtime.key_value import ensure_requests
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats.replies import Denied
from contracts.runtime.nats.retry import NAME_IN_USE, allow_existing, asking, retry_until
from contracts.runtime.nats.stream_state import state_of
from contracts.runtime.nats_blobs import BUCKET as BLOBS_BUCKET

logger = structlog.get_logger(__name__)

OLDEST_SERVER = (2, 11)
"""Minimum version of nats-server. Older versions ignore Nats-Expected-Last-Subject-Sequence-Subject, so
the optimistic lock does not work."""

DUPLICATE_WINDOW_NS = 120 * 1_000_000_000

DURABLE: dict[str, Json] = {
    "storage": "file",
    "retention": "limits",
    "discard": "new",
    "allow_direct": True,
    "duplicate_window": DUPLICATE_WINDOW_NS,
}
LOG = DURABLE | {"name": subjects.STREAM, "subjects": [subjects.EVERYTHING], "allow_atomic": True}
PARKED = DURABLE | {"name": subjects.PARKED_STREAM, "subjects": [subjects.PARKED]}
REPLAY = DURABLE | {
    "name": subjects.REPLAY_STREAM,
    "subjects": [subjects.REPLAYS],
    "retention": "workqueue",
}
UNLIMITED = {"max_age": 0, "max_msgs": -1, "max_msgs_per_subject": -1, "sealed": False}
CHECKED = ("subjects", "storage", "retention", "allow_direct")


class WrongServer(UserError):
    """The NATS server is too old or not configured as the log needs it."""


class WrongStream(UserError):
    """A stream exists with a configuration that would lose or hide commits."""


async def ensure_topology(connection: Connection, *, replicas: int = 1, wait_s: float = 30.0) -> int:
    """Create all missing streams and buckets, and check the streams. Several processes may call it at once.

    Returns the number of replicas of the log. `replicas` applies only to streams and buckets created here.

    Raises:
        WrongServer: it is too old, has no JetStream, or has too few servers for so many replicas.
        WrongStream: a stream exists with an unsuitable configuration.
    """
    _check_version(connection)
    try:
        for config in (PARKED, REPLAY, LOG):
            actual = await retry_until(
                partial(_ensure_stream, connection, config, replicas), deadline_s=wait_s
            )
        for ensure in (_ensure_blobs, _ensure_catalogue, _ensure_positions, ensure_requests):
            await retry_until(partial(ensure, connection, replicas), deadline_s=wait_s)
    except Unavailable as error:
        raise WrongServer(
            f"JetStream is not available ({error}); start nats-server with -js, and most servers of a cluster"
        ) from error
    return int(actual["num_replicas"])


async def allow_batches(connection: Connection, *, wait_s: float = 30.0) -> None:
    """Let a log that an earlier version created take atomic batches. If that fails, nothing is lost by it.

    Call it while no other process uses the log: one that halts it in the same moment is overruled, because
    JetStream has no lock for the configuration of a stream.
    """

    async def allow() -> None:
        info = await connection.api(f"STREAM.INFO.{subjects.STREAM}")
        if not info["config"].get("allow_atomic") and not state_of(info).halted:
            await connection.api(f"STREAM.UPDATE.{subjects.STREAM}", info["config"] | {"allow_atomic": True})

    try:
        await retry_until(allow, deadline_s=wait_s)
    except NotFoundError:
        logger.debug("the log does not exist yet")
    except (APIError, Denied, Unavailable) as error:
        logger.warning("the log takes no batches: commits are stored one by one", error=str(error))


def _check_version(connection: Connection) -> None:
    version = connection.nc.connected_server_version
    if (version.major, version.minor) < OLDEST_SERVER:
        raise WrongServer(
            f"{version!r} is too old: before 2.11 it does not check the optimistic lock. Upgrade nats-server"
        )


async def _ensure_stream(connection: Connection, config: dict[str, Json], replicas: int) -> dict[str, Json]:
    name = config["name"]
    try:
        info = await connection.api(f"STREAM.INFO.{name}")
    except NotFoundError:
        info = await _create(connection, config | {"num_replicas": replicas})
    actual: dict[str, Json] = info["config"]
    wrong = [
        f"{key} is {actual.get(key)!r} and must be {value!r}"
        for key, value in ({key: config[key] for key in CHECKED} | UNLIMITED).items()
        if actual.get(key, value) != value
    ]
    if actual["duplicate_window"] < DUPLICATE_WINDOW_NS:
        wrong.append("duplicate_window must be at least 2m")
    if wrong:
        raise WrongStream(f"stream {name}: {'; '.join(wrong)}. Correct it with `nats stream edit {name}`")
    return actual


async def _create(connection: Connection, config: dict[str, Json]) -> dict[str, Json]:
    name, replicas = config["name"], config["num_replicas"]
    try:
        return await connection.api(f"STREAM.CREATE.{name}", config)
    except APIError as error:
        if error.err_code == NAME_IN_USE:
            return await connection.api(f"STREAM.INFO.{name}")
        raise WrongServer(
            f"NATS refuses stream {name} with {replicas} replicas ({error.description}); set NATS_REPLICAS"
        ) from error


async def _ensure_blobs(connection: Connection, replicas: int) -> None:
    with asking(), allow_existing():
        await connection.js.create_object_store(BLOBS_BUCKET, replicas=replicas)


async def _ensure_catalogue(connection: Connection, replicas: int) -> None:
    with asking(), allow_existing():
        await connection.js.create_key_value(bucket=CATALOGUE_BUCKET, replicas=replicas)


async def _ensure_positions(connection: Connection, replicas: int) -> None:
    with asking(), allow_existing():
        await connection.js.create_key_value(bucket=POSITIONS_BUCKET, replicas=replicas)
