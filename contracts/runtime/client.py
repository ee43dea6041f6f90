"""nats-py where it is not quite what we need. The only module that overrides its private parts."""

from __future__ import annotations

from nats.aio.client import Client
from nats.aio.subscription import Subscription


class NatsClient(Client):
    """nats-py's client, quicker with headers and able to leave a subscription without losing messages."""

    async def stop_sending(self, subscription: Subscription) -> None:
        """Ask the server to stop, and go on receiving what it has sent until then."""
        await self._send_unsubscribe(subscription._id)  # noqa: SLF001

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        """As nats-py's own, which is a third of what receiving a message costs."""
        headers = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                headers[name] = value.strip()
        return headers
