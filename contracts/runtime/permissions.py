"""What each NATS user of the system may publish and subscribe to.

There is one user per service, `operator` for the commands that repair a system, and `reader` for programs
that follow the log. A service may write only its own commits, cannot answer requests of other services, and
cannot use their durable consumers. Pure: `deploy.local.nats_users` writes the configuration of the server.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from contracts.core.subjects import (
    EVERYTHING,
    EXECUTOR_ALIVE,
    LIVE_RUNS,
    PARKED_STREAM,
    PROJECTED,
    REPLAY_STREAM,
    STREAM,
    state_filter,
)
from contracts.core.tool import CATALOGUE_BUCKET
from contracts.core.writers import Writers, Writes
from contracts.runtime.consumer.parking import READERS
from contracts.runtime.consumer.position import BUCKET as POSITIONS_BUCKET
from contracts.runtime.key_value import BUCKET as REQUESTS_BUCKET
from contracts.runtime.nats.address import inbox_of
from contracts.runtime.nats.storage import PROBE
from contracts.runtime.nats_blobs import BUCKET as BLOBS_BUCKET

OPERATOR = "operator"
"""User of the commands that repair a system. It may do everything."""
READER = "reader"
"""User of programs that follow the log. It may read and consume the log, and not write to it."""

API = "$JS.API"
BLOBS = f"OBJ_{BLOBS_BUCKET}"
CATALOGUE = f"KV_{CATALOGUE_BUCKET}"
POSITIONS = f"KV_{POSITIONS_BUCKET}"
REQUESTS = f"KV_{REQUESTS_BUCKET}"
STREAMS = (STREAM, PARKED_STREAM, REPLAY_STREAM, BLOBS, CATALOGUE, POSITIONS, REQUESTS)
CONSUMED = (STREAM, REPLAY_STREAM)
"""Streams on which services have durable consumers, of the same name on both."""


@dataclass(frozen=True)
class Permissions:
    """Subjects of one user, as NATS understands them: `deny` has precedence over `publish`."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    deny_publish: tuple[str, ...] = ()
    deny_subscribe: tuple[str, ...] = ()


@dataclass(frozen=True)
class Role:
    """What one service does on NATS besides writing commits and reading the log."""

    consumers: tuple[str, ...] = ()
    """Its durable consumers."""
    tells: tuple[str, ...] = ()
    """Subjects of its ephemeral messages."""
    hears: tuple[str, ...] = ()
    """Subjects of ephemeral messages that it receives."""
    reads_catalogue: bool = False
    writes_catalogue: bool = False
    keeps_requests: bool = False
    """Whether it stores the answers to repeated requests."""
    halts: bool = False
    """Whether it may halt the log. The permission covers every change of the stream's configuration, so the
    services that requests and tools reach do not have it."""


ROLES: Mapping[str, Role] = {
    "gateway": Role(
        hears=(PROJECTED, EXECUTOR_ALIVE, LIVE_RUNS),
        reads_catalogue=True,
        keeps_requests=True,
    ),
    "planner": Role(consumers=("planner",), hears=(EXECUTOR_ALIVE,), reads_catalogue=True, halts=True),
    "executor": Role(
        consumers=("executor", "after-run"), tells=(EXECUTOR_ALIVE, LIVE_RUNS), writes_catalogue=True
    ),
    "scheduler": Role(halts=True),
    "projector": Role(tells=(PROJECTED,), halts=True),
}
USERS = (*ROLES, OPERATOR, READER)


def permissions(writers: Writers) -> Mapping[str, Permissions]:
    """The permissions of every user, with the commits of each service from `writers`."""
    services = {name: _of_service(name, role, writers.get(name, {})) for name, role in ROLES.items()}
    return {**services, OPERATOR: Permissions((">",), (">",)), READER: _of_reader()}


def _of_service(name: str, role: Role, written: Mapping[str, Writes]) -> Permissions:
    inbox = f"{inbox_of(name)}.>"
    publish = (
        *_common(),
        inbox,
        *_commits(written),
        *_consuming(role.consumers),
        *role.tells,
        *(_reading_in_order(CATALOGUE) if role.reads_catalogue else ()),
        *((f"$KV.{CATALOGUE_BUCKET}.*",) if role.writes_catalogue else ()),
        *((f"$KV.{REQUESTS_BUCKET}.*", f"{API}.STREAM.MSG.GET.{REQUESTS}") if role.keeps_requests else ()),
        *((f"{API}.STREAM.UPDATE.{STREAM}",) if role.halts else ()),
    )
    others = [consumer for other, its in ROLES.items() if other != name for consumer in its.consumers]
    return Permissions(publish, (inbox, *role.hears), deny_publish=tuple(_others(others)))


def _common() -> Iterator[str]:
    """Creating and checking streams, reading the log and its large values, parking, checking the disk."""
    yield f"{API}.INFO"
    for stream in STREAMS:
        yield f"{API}.STREAM.INFO.{stream}"
        yield f"{API}.STREAM.CREATE.{stream}"
    for stream in (STREAM, BLOBS):
        yield f"{API}.STREAM.MSG.GET.{stream}"
        yield f"{API}.DIRECT.GET.{stream}"
    yield from _reading_in_order(STREAM)
    yield f"parked.{READERS}.*"
    yield PROBE


def _commits(written: Mapping[str, Writes]) -> Iterator[str]:
    for aggregate, allowed in written.items():
        for state in sorted(allowed.states):
            yield state_filter(aggregate, state)
    if written:
        yield f"$O.{BLOBS_BUCKET}.*.*"


def _reading_in_order(stream: str) -> Iterator[str]:
    """Consumers without acknowledgements, with names chosen at random."""
    for call in ("CREATE", "DELETE", "MSG.NEXT"):
        yield f"{API}.CONSUMER.{call}.{stream}.*"


def _consuming(consumers: Sequence[str]) -> Iterator[str]:
    """Durable consumers, their acknowledgements, their stored positions, and parking what they give up."""
    for consumer in consumers:
        for stream in CONSUMED:
            for call in ("CREATE", "INFO", "MSG.NEXT"):
                yield f"{API}.CONSUMER.{call}.{stream}.{consumer}"
            yield from _acknowledging(stream, consumer)
            yield f"$KV.{POSITIONS_BUCKET}.{stream}-{consumer}"
        yield f"parked.{consumer}.*"
    if consumers:
        yield f"{API}.STREAM.MSG.GET.{POSITIONS}"


def _acknowledging(stream: str, consumer: str) -> Iterator[str]:
    """The subjects of acknowledgements, also of servers that name domain and account in them."""
    yield f"$JS.ACK.{stream}.{consumer}.>"
    yield f"$JS.ACK.*.*.{stream}.{consumer}.>"


def _others(consumers: Iterable[str]) -> Iterator[str]:
    """Whatever would change the durable consumers of another service, or take their messages."""
    for consumer in consumers:
        for call in ("CREATE", "DURABLE.CREATE", "DELETE", "MSG.NEXT"):
            yield f"{API}.CONSUMER.{call}.{STREAM}.{consumer}"
        yield f"{API}.CONSUMER.CREATE.{STREAM}.{consumer}.>"
        yield from _acknowledging(STREAM, consumer)


def _of_reader() -> Permissions:
    """Reading the log and its large values, by any kind of consumer whose name no service uses."""
    reading = [f"{API}.INFO", f"{API}.STREAM.NAMES", f"{API}.STREAM.LIST"]
    for stream in (STREAM, BLOBS):
        reading += (
            f"{API}.STREAM.INFO.{stream}",
            f"{API}.STREAM.MSG.GET.{stream}",
            f"{API}.DIRECT.GET.{stream}",
            f"{API}.DIRECT.GET.{stream}.>",
            f"{API}.CONSUMER.LIST.{stream}",
            f"{API}.CONSUMER.NAMES.{stream}",
            f"{API}.CONSUMER.CREATE.{stream}",
            f"{API}.CONSUMER.CREATE.{stream}.>",
            *(
                f"{API}.CONSUMER.{call}.{stream}.*"
                for call in ("DURABLE.CREATE", "INFO", "MSG.NEXT", "DELETE")
            ),
            f"$JS.ACK.{stream}.>",
            f"$JS.ACK.*.*.{stream}.>",
            f"$JS.FC.{stream}.>",
        )
    durable = (consumer for role in ROLES.values() for consumer in role.consumers)
    return Permissions(
        tuple(reading),
        (EVERYTHING, "live.>", "_INBOX.>"),
        deny_publish=tuple(_others(durable)),
        deny_subscribe=tuple(f"{inbox_of(name)}.>" for name in (*ROLES, OPERATOR)),
    )
