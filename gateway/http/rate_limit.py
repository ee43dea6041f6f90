"""The limit of requests per minute and address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.http.errors import FrameworkRefusal

WINDOW_S = 60.0
REMEMBERED = 10_000
"""Number of addresses above which expired windows are removed."""


@dataclass(slots=True)
class _Window:
    ends: float
    count: int = 0


class RateLimit:
    """Counts requests by address, in windows of one minute that start with the first request."""

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

    def take(self, remote: str | None, forwarded: Iterable[str] = ()) -> dict[str, str]:
        """Count one request and return the rate-limit headers. Without a limit, there are none.

        If `remote` is a trusted proxy, the request counts for the last address in `forwarded`, the header
        `X-Forwarded-For`, that is not a trusted proxy. Otherwise `forwarded` is ignored.

        Raises:
            FrameworkRefusal: the limit is exceeded.
        """
        address = self._client(remote, forwarded) if self._maximum else None
        if address is None or _is_in(address, self._exempt):
            return {}
        window = self._window(address)
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

    def _window(self, address: str) -> _Window:
        now = self._clock()
        window = self._windows.get(address)
        if window is None or window.ends <= now:
            if len(self._windows) >= REMEMBERED:
                self._windows = {key: kept for key, kept in self._windows.items() if kept.ends > now}
            window = self._windows[address] = _Window(now + WINDOW_S)
        return window

    def _client(self, remote: str | None, forwarded: Iterable[str]) -> str | None:
        hops = [hop.strip() for header in forwarded for hop in header.split(",")]
        while remote is not None and hops and _is_in(remote, self._proxies):
            remote = hops.pop()
        return remote


def _is_in(address: str, networks: Sequence[IPv4Network | IPv6Network]) -> bool:
    try:
        ip = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)
