"""The limit of requests per minute, for each key or user, and for each address of requests without one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.http.errors import FrameworkRefusal

WINDOW_S = 60.0
REMEMBERED = 10_000
"""Number of windows above which expired ones are removed."""
SWEEP_S = 1.0
"""Minimum seconds between two removals of expired windows, because each looks at all windows."""
IPV6_PREFIX = 64
"""Bits of an IPv6 address that count. Whoever has one address usually has all that begin with these bits."""


@dataclass(slots=True)
class _Window:
    ends: float
    count: int = 0


class RateLimit:
    """Counts requests in windows of one minute that start with the first request."""

    def __init__(
        self,
        maximum: int,
        exempt: Sequence[IPv4Network | IPv6Network] = (),
        proxies: Sequence[IPv4Network | IPv6Network] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._maximum = maximum
        self._exempt = exempt
        self._proxies = proxies
        self._clock = clock
        self._windows: dict[str, _Window] = {}
        self._sweep_at = -math.inf

    def take(
        self, remote: str | None, forwarded: Iterable[str] = (), actor: str | None = None
    ) -> dict[str, str]:
        """Count one request and return the rate-limit headers. Without a limit, there are none.

        A request with an `actor` counts for the actor, whatever its address. Others count for `remote`, or,
        if that is a trusted proxy, for the last address in `forwarded`, the header `X-Forwarded-For`, that is
        not a trusted proxy. From an address that is not a trusted proxy, `forwarded` is ignored.
        IPv6 addresses with the same first IPV6_PREFIX bits count as one.

        Raises:
            FrameworkRefusal: the limit is exceeded.
        """
        client = self._counted(remote, forwarded, actor) if self._maximum else None
        if client is None:
            return {}
        window = self._window(client)
        window.count += 1
        left_s = math.ceil(window.ends - self._clock())
        headers = {
            "X-RateLimit-Limit": str(self._maximum),
            "X-RateLimit-Remaining": str(max(0, self._maximum - window.count)),
            "X-RateLimit-Reset": str(left_s),
        }
        if window.count > self._maximum:
            refusal = FrameworkRefusal(429, "Rate limit exceeded, retry in 1 minute")
            refusal.headers = {**headers, "Retry-After": str(left_s)}
            raise refusal
        return headers

    def _counted(self, remote: str | None, forwarded: Iterable[str], actor: str | None) -> str | None:
        """Return for whom a request counts, or None if it does not count."""
        if actor is not None:
            return actor
        address = self._client(remote, forwarded)
        return None if address is None or _is_in(address, self._exempt) else _shared_part(address)

    def _window(self, client: str) -> _Window:
        now = self._clock()
        window = self._windows.get(client)
        if window is None or window.ends <= now:
            if len(self._windows) >= REMEMBERED and now >= self._sweep_at:
                self._windows = {key: kept for key, kept in self._windows.items() if kept.ends > now}
                self._sweep_at = now + SWEEP_S
            window = self._windows[client] = _Window(now + WINDOW_S)
        return window

    def _client(self, remote: str | None, forwarded: Iterable[str]) -> str | None:
        hops = [hop.strip() for header in forwarded for hop in header.split(",")]
        while remote is not None and hops and _is_in(remote, self._proxies):
            remote = hops.pop()
        return remote


def _shared_part(address: str) -> str:
    """What all addresses of one client have in common: an IPv4 address, or the prefix of an IPv6 address."""
    ip = _parsed(address)
    if not isinstance(ip, IPv6Address):
        return address if ip is None else str(ip)
    return str(IPv6Network((int(ip), IPV6_PREFIX), strict=False))


def _is_in(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    ip = _parsed(address)
    return ip is not None and any(ip in network for network in networks)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    """The address, as IPv4 if it is an IPv4 address in IPv6 notation; None if it is not an address."""
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    return (isinstance(ip, IPv6Address) and ip.ipv4_mapped) or ip
