"""Checks that protect HTTP ports from web pages of other sites. Pure.

A web page can make its visitor's browser send requests to a port that only the visitor can reach. Three rules
prevent this on every port:

- `Host` must be a name that cannot be registered on the Internet, or one of ALLOWED_HOSTS. An attacker's
  domain may resolve to our address (DNS rebinding); the browser then treats the page as ours.
- A request that may change something must not come from a page of another site, unless the origin of that
  page is in CORS_ORIGINS.

- A page of another site may link to an answer, but not embed or fetch it, unless its origin is in
  CORS_ORIGINS. A browser does not let the page read such an answer. But its size, its duration and whether
  it is an error tell what exists, and streams that the page opens take the places of others.

Requests without an `Origin` and `Sec-Fetch-Site`, which do not come from a browser, pass the last two rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
UNREGISTRABLE = (".localhost", ".local", ".internal")
"""Suffixes of host names that cannot be registered on the Internet."""
ANY_HOST = "*"

HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Headers of every answer that does not set them itself. Browsers must not guess types, or show answers as
parts of pages of other sites."""


@dataclass(frozen=True, slots=True)
class BrowserRules:
    """The allowed hosts and origins."""

    hosts: frozenset[str] = frozenset()
    """Additional allowed host names in lower case; `*`: every name. IP addresses, names without a dot and
    names that end in UNREGISTRABLE are always allowed."""
    origins: frozenset[str] = frozenset()
    """Origins whose pages may send requests that change something."""

    def problem(self, method: str, headers: Mapping[str, str]) -> str | None:
        """Why a request with these headers must be refused; None if it is allowed."""
        host = headers.get("Host", "")
        if host and not self._is_own_host(host):
            return f"Host {host[:100]!r} is not allowed: use localhost or an IP address, or set ALLOWED_HOSTS"
        if self._is_same_site(host, headers) or (method in SAFE_METHODS and not _is_part_of_page(headers)):
            return None
        origin = headers.get("Origin")
        page = "another site" if origin is None else repr(origin[:100])
        return f"A page of {page} may not send {method}: add its origin to CORS_ORIGINS if it should"

    def _is_own_host(self, host: str) -> bool:
        name = host_name(host)
        if name is None:
            return False
        if ANY_HOST in self.hosts or name in self.hosts or "." not in name or name.endswith(UNREGISTRABLE):
            return True
        return _is_address(name)

    def _is_same_site(self, host: str, headers: Mapping[str, str]) -> bool:
        """Whether no page of another site sent the request.

        Uses `Sec-Fetch-Site` if present; otherwise compares `Origin` and `Host`.
        """
        origin, site = headers.get("Origin"), headers.get("Sec-Fetch-Site")
        if origin in self.origins:
            return True
        if site is not None:
            return site in {"same-origin", "none"}
        return origin is None or urlsplit(origin).netloc.lower() == host.lower()


def _is_part_of_page(headers: Mapping[str, str]) -> bool:
    """Whether a page fetches or embeds the answer, instead of a person opening it.

    Browsers that do not send `Sec-Fetch-Mode` obey `Cross-Origin-Resource-Policy`.
    """
    mode, used_as = headers.get("Sec-Fetch-Mode", "navigate"), headers.get("Sec-Fetch-Dest", "document")
    return (mode, used_as) != ("navigate", "document")


def host_name(host: str) -> str | None:
    """The name in a `Host` header, in lower case and without port; None if there is none."""
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
