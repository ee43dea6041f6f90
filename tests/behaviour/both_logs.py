"""The fixtures of a suite that runs on the log in memory and on NATS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.runtime.memory_log import MemoryLog
from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.wire import Format
from tests.behaviour.tails import Inject, injecting

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters

AnyLog = MemoryLog | NatsLog


class OnMemory:
    """A log in memory."""

    @pytest.fixture
    def log(self, counters: Counters) -> MemoryLog:
        return MemoryLog(counters.codec)

    @pytest.fixture
    def inject(self, log: MemoryLog) -> Inject:
        return log.inject


@pytest.mark.nats
class OnNats:
    """A log on NATS."""

    @pytest.fixture
    def log(self, connection: Connection, counters: Counters) -> NatsLog:
        return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))

    @pytest.fixture
    def inject(self, connection: Connection) -> Inject:
        return injecting(connection)
