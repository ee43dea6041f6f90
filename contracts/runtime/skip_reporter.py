"""Reports what readers of the log skip: counts it, logs it once per process, and parks broken messages."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog
from nats.js.errors import APIError
from prometheus_client import Counter

from contracts.core.codec import Undecodable
from contracts.core.commit import Recorded
from contracts.core.unread import Unread
from contracts.runtime.consumer.parking import READERS, Parked, as_json, park_once
from contracts.runtime.log import Unavailable
from contracts.runtime.nats.connection import Connection

BROKEN = Counter("log_broken_messages", "Messages of the log that are not commits and were skipped.")
UNREAD = Counter("log_unread_events", "Events skipped: too new for this service, or lost.", ["cause"])

logger = structlog.get_logger(__name__)


class SkipReporter:
    """Reports the events and messages of the log that one process skips."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._reported: set[object] = set()

    def report_unread(self, recorded: Recorded) -> None:
        """Count and log the events of a commit that this process cannot read."""
        for event in recorded.commit.events:
            if isinstance(event, Unread):
                UNREAD.labels("newer" if event.newer else "lost").inc()
                if self._is_new(event.dataschema if event.newer else recorded.seq):
                    logger.warning(
                        "skipping an event that cannot be read",
                        seq=recorded.seq,
                        aggregate_id=recorded.commit.aggregate_id,
                        event_type=event.type,
                        reason=event.reason,
                    )

    async def report_broken(self, seq: int, subject: str, payload: bytes, error: Undecodable) -> None:
        """Count, log and park a message that is not a commit."""
        BROKEN.inc()
        if not self._is_new(seq):
            return
        logger.error("skipping a message that is not a commit", seq=seq, subject=subject, error=str(error))
        message = Parked(
            consumer=READERS,
            seq=seq,
            subject=subject,
            reason=str(error),
            error=type(error).__name__,
            attempt=1,
            time=datetime.now(UTC),
            payload=as_json(payload),
        )
        try:
            await park_once(self._connection, message)
        except (Unavailable, APIError) as trouble:
            logger.warning("the message could not be parked", seq=seq, error=str(trouble))

    def _is_new(self, what: object) -> bool:
        if what in self._reported:
            return False
        self._reported.add(what)
        return True
