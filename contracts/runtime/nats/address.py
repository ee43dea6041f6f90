"""The URL of NATS, and what follows from the name of a connection."""

from __future__ import annotations

from urllib.parse import urlsplit

from contracts.core.user_error import UserError


class Unreachable(UserError):
    """No NATS server answers, it refuses the user, or the URL is invalid."""


def public(url: str) -> str:
    """The hosts and ports in `url`, without user names and passwords.

    Raises:
        Unreachable: `url` is invalid.
    """
    try:
        parts = [urlsplit(one if "//" in one else f"nats://{one}") for one in url.split(",")]
        addresses = [(part.hostname, part.port or 4222) for part in parts]
    except ValueError:
        addresses = [(None, 0)]
    if not all(host and len(host.split()) == 1 for host, _ in addresses):
        raise Unreachable(
            "NATS_URL is not a valid URL; set it to nats://<host>:4222 or to several URLs separated by commas"
        )
    return ", ".join(f"{host}:{port}" for host, port in addresses)


def inbox_of(name: str) -> str:
    """The prefix of the inboxes of connection `<service>/<instance>`. Each NATS user has its own prefix."""
    return f"_INBOX.{name.partition('/')[0]}"
