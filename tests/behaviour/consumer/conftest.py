"""A log, and consumers that are killed or stopped in the middle of their work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from contracts.runtime.nats.connection import Connection
from contracts.runtime.nats_blobs import NatsBlobs
from contracts.runtime.nats_log import NatsLog
from contracts.runtime.wire import Format

if TYPE_CHECKING:
    from tests.behaviour.conftest import Counters


@pytest.fixture
def log(connection: Connection, counters: Counters) -> NatsLog:
    return NatsLog(connection, Format(counters.codec, NatsBlobs(connection)))
