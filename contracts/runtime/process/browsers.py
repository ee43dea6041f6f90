"""What pages in a browser may do with our HTTP ports. Pure.

A page of any site can make its visitor's browser send requests to a port that only the visitor reaches. Two
rules keep such pages out, on every port:

- `Host` must be a name that no stranger can register, or one of ALLOWED_HOSTS. A stranger's name may resolve
  to our address (DNS rebinding); the browser then treats the page as ours.
- A request that may change something must not come from a page of another site, unless that page's origin is
  one of those that may call the API.

Requests that do not come from a browser name no origin and are not concerned by the second rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UNREGISTRABLE = (".localhost", ".local", ".internal")
"""Ends of host names that cannot be registered on the Internet."""
ANY_HOST = "*"

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
}
"""Sent with every answer that does not set them itself: types are not guessed, no page frames an answer."""


@dataclass(frozen=True, slots=True)
class BrowserRules:
    """Which hosts and origins are ours."""

    hosts: frozenset[str] = frozenset()
    """Lower-case names, besides IP addresses, names without a dot, and those that end in UNREGISTRABLE.

    `*` stands for every name."""
    origins: frozenset[str] = frozenset()
    """Origins whose pages may send requests that change something."""

    def problem(self, method: str, headers: Mapping[str, str]) -> str | None:
        """Why a request with these headers must be refused; None when it need not be."""
        host = headers.get("Host", "")
        if host and not self._is_ours(host):
            return f"Host {host[:100]!r} is not allowed: use localhost or an IP address, or set ALLOWED_HOSTS"
        if method in SAFE_METHODS or self._comes_from_us(host, headers):
            return None
        origin = headers.get("Origin", "another site")
        return f"A page of {origin[:100]} may not send {method}: add its origin to CORS_ORIGINS if it should"

    def _is_ours(self, host: str) -> bool:
        name = host_name(host)
        if name is None:
            return False
        if ANY_HOST in self.hosts or name in self.hosts or "." not in name or name.endswith(UNREGISTRABLE):
            return True
        return _is_address(name)

    def _comes_from_us(self, host: str, headers: Mapping[str, str]) -> bool:
        """Whether no page of another site sent it: as browsers say, else by comparing origin and host."""
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if origin in self.origins:
            return True
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def host_name(host: str) -> str | None:
    """The name in a `Host` header, in lower case and without port; None when there is none."""
    try:
        name = urlsplit(f"//{host}").hostname
    except ValueError:
        return None
    return name.rstrip(".") or None if name else None


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
