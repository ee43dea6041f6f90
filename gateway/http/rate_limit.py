"""So many requests a minute from one address."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.http.errors import FrameworkRefusal

WINDOW_S = 60.0
REMEMBERED = 10_000
"""Addresses; with more than these, those whose minute is over are forgotten."""


@dataclass(slots=True)
class _Window:
    ends: float
    count: int = 0


class RateLimit:
    """Counts requests by address, in windows of a minute that begin with the first request."""

    def __init__(
        self,
        maximum: int,
        exempt: Sequence[IPv4Network | IPv6Network] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._maximum = maximum
        self._exempt = exempt
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    def take(self, address: str | None) -> dict[str, str]:
        """Count one request; the headers that tell how many are left, none where there is no limit.

        Raises:
            FrameworkRefusal: too many.
        """
        if not self._maximum or address is None or self._is_exempt(address):
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

    def _is_exempt(self, address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        if isinstance(ip, IPv6Address) and ip.ipv4_mapped:
            ip = ip.ipv4_mapped
        return any(ip in network for network in self._exempt)
