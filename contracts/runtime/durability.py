"""Checks that NATS syncs each message to disk before it acknowledges it."""

from __future__ import annotations

import aiohttp
import structlog

from contracts.core.user_error import UserError
from contracts.runtime.nats.connection import Connection
from contracts.runtime.process.settings import Durability, Settings

logger = structlog.get_logger(__name__)

OWN_SERVER = "async-agent"
"""Name of the nats-server that `async-agent up` starts, whose configuration is known."""
ANSWER_S = 5.0
"""Seconds to wait for the answer of a monitoring address."""
UNKNOWN = (
    "whether NATS syncs each commit to disk is not known: set NATS_MONITOR_URL to its monitoring address to "
    "have it checked, or DURABILITY=fast if commits may be lost in a power cut"
)


class NotDurable(UserError):
    """NATS does not sync each message, or it could not be checked."""


async def check_durability(connection: Connection, settings: Settings) -> None:
    """Check that every server of NATS_MONITOR_URL syncs each message, unless DURABILITY is `fast`.

    Logs a warning if NATS_MONITOR_URL is not set.

    Raises:
        NotDurable: a server does not sync each message, or its monitoring address does not answer.
    """
    if settings.durability is Durability.FAST or connection.nc.server_name == OWN_SERVER:
        return
    if not settings.nats_monitor_url:
        logger.warning(UNKNOWN)
    for url in settings.nats_monitor_url:
        if not await _syncs_always(url):
            raise NotDurable(
                f"the NATS server at {url} acknowledges messages before they are on disk: set "
                "`sync_interval: always` in the jetstream block of its configuration, or DURABILITY=fast if "
                "commits may be lost in a power cut"
            )


async def _syncs_always(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=ANSWER_S)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as http,
            http.get(f"{url.rstrip('/')}/varz") as answer,
        ):
            return bool((await answer.json())["jetstream"]["config"].get("sync_always"))
    except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError) as error:
        raise NotDurable(
            f"NATS_MONITOR_URL: {url}/varz does not answer as a NATS server with JetStream does "
            f"({type(error).__name__}: {error}); set it to the monitoring address, http://<host>:8222"
        ) from error
